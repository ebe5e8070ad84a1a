"""Wake-ups and CPU of a system to which nothing happens."""

import time

import procfs
import rig
from figures import Figure

LIMIT_WAKEUPS = 5
LIMIT_CPU_PERCENT = 0.1


def _sample(pids):
    return {name: (procfs.switches(pid), procfs.core_seconds(pid)) for name, pid in pids.items()}


def measure(bench, seconds):
    with bench.system() as system:
        system.start()
        system.wait_in_sync()
        time.sleep(rig.SETTLE_SECONDS)
        bench.quiet()
        pids = rig.processes(system)
        started, before = time.monotonic(), _sample(pids)
        time.sleep(seconds)
        after, took = _sample(pids), time.monotonic() - started
    wakeups = {n: (after[n][0] - before[n][0]) / took for n in pids}
    percent = {n: (after[n][1] - before[n][1]) / took * 100 for n in pids}
    figures = [Figure(f"wake-ups {n}", wakeups[n], "/s") for n in pids]
    figures.append(Figure("wake-ups of all", sum(wakeups.values()), "/s", LIMIT_WAKEUPS))
    figures += [Figure(f"CPU {n}", percent[n], "% of one") for n in pids]
    figures.append(Figure("CPU of all", sum(percent.values()), "% of one", LIMIT_CPU_PERCENT))
    return ("Idle", f"over {took:.0f} s, default settings: a round every 300 s, a tripwire every "
            "15 s", figures)
