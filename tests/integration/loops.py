"""Watches from outside that no loop is blocked: what /proc says about each main thread, all the time.

A loop may wait in poll and its relatives only. Another system call in which the thread sleeps for
longer than LIMIT, or so much computing at a stretch, is a pass of the loop that was blocked.
"""

import os
import platform
import threading
import time

import processes

LIMIT = 0.1             # seconds; what DESIGN.md allows
STEP = 0.005
SAMPLES = 5             # fewer within LIMIT, on a busy machine, prove nothing
REFRESH = 0.2
TICK = 1 / os.sysconf("SC_CLK_TCK")

# the waiting ones: poll, ppoll, select, pselect6, epoll_wait, epoll_pwait, restart_syscall; and
# fsync, fdatasync: how long the disk takes is not the loop's doing, and the state must be safe
ALLOWED = {"x86_64": {7, 271, 23, 270, 232, 281, 219, 74, 75},
           "aarch64": {73, 72, 22, 128, 82, 83}}


def seconds_of_cpu(pid):
    """Of the main thread alone."""
    fields = processes.read(pid, f"task/{pid}/stat").rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK if fields else 0


class Watch:
    """A context manager; `pids` is a function that returns {name: pid}. `found` is a list of texts."""

    def __init__(self, pids, computing=True):
        self.found = []
        self.samples = 0
        self._pids, self._computing = pids, computing
        self._allowed = ALLOWED[platform.machine()]
        self._streaks = {}      # pid: (what it is doing, since when, CPU time then, samples)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _run(self):
        known, refreshed = {}, 0
        while not self._end.wait(STEP):
            if time.monotonic() - refreshed > REFRESH:
                known, refreshed = self._pids(), time.monotonic()
            for name, pid in known.items():
                self._look(name, pid)

    def _look(self, name, pid):
        doing = processes.read(pid, "syscall").decode()
        self.samples += 1
        # -1: asleep outside of any call, which is a page that comes from the disk
        number = doing.partition(" ")[0].strip()
        if not number or number == "-1" or (number.isdecimal() and int(number) in self._allowed):
            self._streaks.pop(pid, None)
            return
        now = time.monotonic()
        before, since, cpu, samples = self._streaks.get(pid, (None, now, seconds_of_cpu(pid), 0))
        if before != doing:
            since, cpu, samples = now, seconds_of_cpu(pid), 0
        self._streaks[pid] = doing, since, cpu, samples + 1
        # who waits for a CPU is "running" too: then only what was computed counts
        took = now - since if number != "running" else seconds_of_cpu(pid) - cpu
        if took > LIMIT and samples >= SAMPLES and (self._computing or number != "running"):
            self.found.append(f"{name}: {took * 1000:.0f} ms in {doing.strip()}")
