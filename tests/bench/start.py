"""From exec of the supervisor to READY=1, and to a ready page."""

import contextlib
import select
import shutil
import socket
import statistics
import subprocess
import time

import webclient
from figures import Figure

LIMIT_MS = 200
GIVE_UP_SECONDS = 30
ASK_EVERY_SECONDS = 0.004


def _ready_page(port):
    """Does /readyz say 200? False also where nothing listens yet."""
    with contextlib.suppress(OSError):
        return webclient.ask(port, "/readyz", timeout=1).status == 200
    return False


def _one(bench, notify, keep):
    """(ms to READY=1, ms to /readyz). keep: with the state of a run before, else with none."""
    name = "@" + notify.getsockname()[1:].decode()
    with bench.system({"NOTIFY_SOCKET": name}) as system:
        if keep:
            system.start()
            system.wait_in_sync()
            system.stop()
        with contextlib.suppress(BlockingIOError):
            while True:
                notify.recv(4096)
        started = time.monotonic()
        system.start()
        ready = served = None
        while ready is None or served is None:
            if select.select([notify], [], [], ASK_EVERY_SECONDS)[0] and \
                    b"READY=1" in notify.recv(4096).split(b"\n") and ready is None:
                ready = time.monotonic() - started
            if served is None and _ready_page(system.metrics_port):
                served = time.monotonic() - started
            if time.monotonic() - started > GIVE_UP_SECONDS:
                raise TimeoutError(system.evidence())
        system.wait_in_sync()
        return ready * 1000, served * 1000


def _true(runs):
    """ms of fork, exec and end of a program that does nothing."""
    program, took = shutil.which("true"), []
    for _ in range(runs):
        started = time.monotonic()
        subprocess.run([program], check=True)
        took.append((time.monotonic() - started) * 1000)
    return statistics.median(took)


def measure(bench, runs):
    times = {False: [], True: []}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
        notify.bind("")     # the kernel chooses an abstract name
        for i in range(2 * runs):
            bench.quiet()
            times[i % 2 == 1].append(_one(bench, notify, i % 2 == 1))
    unit = _true(20)
    figures = []
    for keep, what in ((False, "first start"), (True, "with state")):
        for i, event in enumerate(("READY=1", "/readyz 200")):
            values = [t[i] for t in times[keep]]
            median = statistics.median(values)
            figures.append(Figure(f"{event}, {what}, median", median, "ms", LIMIT_MS,
                                  note=f"best {min(values):.0f} ms, worst {max(values):.0f} ms; "
                                       f"median {median / unit:.0f} times fork and exec of true"))
    return "Start", f"{runs} runs each; fork and exec of true takes {unit:.1f} ms here", figures
