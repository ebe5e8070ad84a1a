"""What all standbys together ask of the API server, while a leader leads."""

import subprocess
import time

from clusterrig import built
from controlplane import die_with_parent
from figures import Figure
from waiting import wait_for

PATIENCE = 120
SETTLE_SECONDS = 35     # longer than the longest period of a standby's reads
OBJECTS = ('resource="leases"', 'resource="configmaps"')


class Standbys:
    """The program standbys.c; a context manager."""

    def __init__(self, bench, count):
        # pylint: disable=subprocess-popen-preexec-fn
        self._process = subprocess.Popen(
            [built("standbys"), f"https://127.0.0.1:{bench.plane.port}",
             str(bench.service_account()), str(count)], stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def ask(self):
        """(ms, standing by, leading, followers, requests of all, requests of the leader)"""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return [int(x) for x in self._process.stdout.readline().split()]


def _served(plane):
    """Requests for our objects so far, by the API server's own count; watches when they end."""
    text = plane.call("GET", "/metrics", plain=True)
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines()
               if line.startswith("apiserver_request_total{") and
               any(o in line for o in OBJECTS) and 'scope="resource"' in line)


def _settled(crowd, count):
    _, standing, leading, followers, _, _ = crowd.ask()
    return standing == count and leading == 1 and followers == count


def _run(bench, count, seconds):
    bench.clean()
    with Standbys(bench, count) as crowd:
        wait_for(lambda: _settled(crowd, count), f"{count} stand by", PATIENCE)
        time.sleep(SETTLE_SECONDS)
        bench.quiet()
        before, served = crowd.ask(), _served(bench.plane)
        time.sleep(seconds)
        after, served = crowd.ask(), _served(bench.plane) - served
        assert before[1:4] == after[1:4], (before, after)
    took = (after[0] - before[0]) / 1000
    leader = (after[5] - before[5]) / took
    own = (after[4] - before[4]) / took - leader
    return [Figure(f"{count} standbys", own, "/s", count / 30 + 2,
                   note=f"leader {leader:.2f} /s, API server's count {served / took:.2f} /s; "
                        f"{bench.load}")]


def measure(bench, sizes, seconds):
    found = [figure for count in sizes for figure in _run(bench, count, seconds)]
    return ("Requests of standbys", f"over {seconds} s, 1 run each, lease 15 s, 10 s, 2 s; one more "
            "pod leads;\nthe number of followers is the ConfigMap's", found)
