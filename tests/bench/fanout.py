"""How soon each of many followers has the news, by its watch and by the leader's publisher."""

import contextlib
import http.client
import json
import os
import ssl
import statistics
import subprocess
import time

import esddns
import procfs

from clusterrig import built
from controlplane import ADMIN, NAMESPACE, PATCHES, die_with_parent
from figures import Figure
from waiting import wait_for

PATIENCE = 120
EACH = 100              # followers in a process
LIMIT_MS = 100
PAUSE_SECONDS = 1       # from one news to the next
LAST_SECONDS = 3        # for the last one to arrive
OBJECT = f"/api/v1/namespaces/{NAMESPACE}/configmaps/esddns-wan-ip"


def _start(*arguments):
    # pylint: disable=subprocess-popen-preexec-fn
    return subprocess.Popen([built("watchers"), *map(str, arguments)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            preexec_fn=die_with_parent)


@contextlib.contextmanager
def _crowd(count, *arguments):
    """
    Processes with that many followers in all, ready; yields two functions: for the time that
    they have had on a core, in seconds, and for what they saw, at the end.
    """
    processes = []
    for first in range(0, count, EACH):
        processes.append(_start(*arguments, min(EACH, count - first)))
    told = []

    def tell():
        for process in processes:
            process.stdin.close()
            told.append(process.stdout.read())
        return told

    try:
        for process in processes:
            line = process.stdout.readline()
            assert line == "ready\n", f"followers ended: {line}"
        yield lambda: sum(procfs.core_seconds(p.pid) for p in processes), tell
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()


def _delays(told, sent, count):
    """[ms] for each follower and each sequence in sent ({sequence: nanoseconds})."""
    delays, lost = [], count * len(sent)
    for text in told:
        for line in text.splitlines():
            _, sequence, at = (int(x) for x in line.split())
            if sequence in sent:
                delays.append((at - sent[sequence]) / 1e6)
                lost -= 1
    return delays, lost


def _figures(name, delays, limit=LIMIT_MS, note=""):
    cuts = statistics.quantiles(delays, n=100)
    return [Figure(f"{name}, p50", cuts[49], "ms"),
            Figure(f"{name}, p99", cuts[98], "ms", limit, note=note)]


# --- the watch ----------------------------------------------------------------------------


class Writer:
    """Raises the ConfigMap's sequence over one connection, as a leader would."""

    def __init__(self, plane):
        tls = ssl.create_default_context(cafile=plane.certificates / "ca.crt")
        self._connection = http.client.HTTPSConnection("127.0.0.1", plane.port, timeout=30,
                                                       context=tls)
        self._headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": PATCHES["PATCH"]}

    def write(self, sequence):
        """(sent, answered), in nanoseconds"""
        body = json.dumps({"data": {"sequence": str(sequence)}})
        sent = time.monotonic_ns()
        self._connection.request("PATCH", OBJECT, body, self._headers)
        response = self._connection.getresponse()
        answered = time.monotonic_ns()
        response.read()
        assert response.status == 200, response.status
        return sent, answered

    def close(self):
        self._connection.close()


def _make_object(bench):
    """The ConfigMap of a real instance, with all its keys."""
    with bench.instances() as make:
        one = make(1)
        wait_for(lambda: (bench.plane.wan() or {}).get("record.example.com.A"), "a ConfigMap",
                 PATIENCE)
        one.wait_in_sync(PATIENCE)
        size = len(json.dumps(bench.plane.wan()))
    return int(bench.plane.wan()["sequence"]), size


def _watch(bench, count, news):
    bench.clean()
    sequence, size = _make_object(bench)
    sent, committed = {}, {}
    server = f"https://127.0.0.1:{bench.plane.port}"
    writer = Writer(bench.plane)
    with _crowd(count, "watch", server, bench.service_account()) as (cores, tell):
        time.sleep(2 * PAUSE_SECONDS)
        bench.quiet()
        ours, servers = cores(), procfs.core_seconds(bench.plane.apiserver_pid)
        for _ in range(news):
            sequence += 1
            sent[sequence], committed[sequence] = writer.write(sequence)
            time.sleep(PAUSE_SECONDS)
        time.sleep(LAST_SECONDS)
        ours = (cores() - ours) / news * 1000
        servers = (procfs.core_seconds(bench.plane.apiserver_pid) - servers) / news * 1000
        told = tell()
    writer.close()
    since_sent, lost = _delays(told, sent, count)
    since_commit, _ = _delays(told, committed, count)
    return [*_figures("watch, since the commit's answer", since_commit),
            *_figures("watch, since the PATCH was sent", since_sent, None,
                      f"an object of {size} bytes; {lost} were late or lost; {bench.load}"),
            Figure("CPU of the API server for one news", servers, "ms"),
            Figure("CPU of all followers for one news", ours, "ms",
                   note=f"on {os.cpu_count()} cores both together take at least "
                        f"{(servers + ours) / os.cpu_count():.0f} ms")]


# --- the publisher --------------------------------------------------------------------------


def _ask(publisher, line):
    """(subscribers, sequence, nanoseconds)"""
    publisher.stdin.write(line + "\n")
    publisher.stdin.flush()
    return [int(x) for x in publisher.stdout.readline().split()]


def _hear(bench, count, news):
    url = f"tcp://127.0.0.1:{esddns.free_ports(1)[0]}"
    publisher = _start("publish", url, bench.peer_key)
    sent = {}
    try:
        _ask(publisher, "?")
        with _crowd(count, "hear", url, bench.peer_key) as (_, tell):
            wait_for(lambda: _ask(publisher, "?")[0] == count, "all are connected", PATIENCE)
            time.sleep(2 * PAUSE_SECONDS)
            bench.quiet()
            for _ in range(news):
                _, sequence, at = _ask(publisher, "!")
                sent[sequence] = at
                time.sleep(PAUSE_SECONDS)
            time.sleep(LAST_SECONDS)
            told = tell()
    finally:
        publisher.kill()
        publisher.wait()
        publisher.stdin.close()
        publisher.stdout.close()
    delays, lost = _delays(told, sent, count)
    return _figures("peers", delays, note=f"{lost} were late or lost; {bench.load}")


def measure(bench, count, news):
    return (f"News to {count:,} followers", f"{news} news; all followers, the API server and "
            "the writer on this machine",
            [*_watch(bench, count, news), *_hear(bench, count, news)])
