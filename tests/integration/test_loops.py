"""The watch over the loops finds what it is there for."""

import subprocess
import sys

import pytest

import loops
from waiting import wait_for


@pytest.mark.parametrize("code, blocked", [
    ("import time; time.sleep(60)", True),
    ("while True: pass", True),
    ("import os; pipe = os.pipe(); os.read(pipe[0], 1)", True),
    ("import select; select.poll().poll()", False),
    ("import select\nwhile True: select.select([], [], [], 0.05)", False),
], ids=["sleep", "compute", "read", "poll", "select"])
def test_what_blocks_is_found(code, blocked):
    with subprocess.Popen([sys.executable, "-c", f"print(flush=True)\n{code}"],
                          stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            with loops.Watch(lambda: {"it": process.pid}) as watch:
                wait_for(lambda: watch.found or watch.samples > 100, "it was watched")
        finally:
            process.kill()
    assert bool(watch.found) == blocked, watch.found
