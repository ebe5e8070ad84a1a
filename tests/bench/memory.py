"""Memory after a day's work in short: found an address, wrote the record, saw a change, wrote."""

import contextlib
import os
import pathlib
import shlex
import subprocess
import tempfile
import time

import esddns
import procfs
import rig
from figures import Figure

LIMIT_MB = 17
SOURCE = pathlib.Path(__file__).with_name("empty.c")


def _mb(kib):
    return kib * 1024 / 1e6


def _libraries(program):
    """The shared libraries that it names itself, as arguments of the linker."""
    text = subprocess.run(["readelf", "-d", program], stdout=subprocess.PIPE, check=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout.decode()
    return [f"-l:{line.split('[')[1].rstrip(']')}"
            for line in text.splitlines() if "(NEEDED)" in line]


@contextlib.contextmanager
def _empty_programs():
    """One process for each of our programs, that links the same and does nothing. Their pids."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        started = []
        for program in esddns.PROGRAMS:
            empty = f"{directory}/{program}"
            subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-O2", "-o", empty,
                            str(SOURCE), "-Wl,--no-as-needed", "-Wl,-z,now",
                            *_libraries(f"{esddns.BUILD}/{program}")], check=True)
            process = stack.enter_context(subprocess.Popen([empty], stdin=subprocess.DEVNULL))
            stack.callback(process.terminate)
            started.append(process.pid)
        time.sleep(1)   # they are loaded, whatever the machine does
        yield started


def measure(bench):
    with bench.system() as system:
        system.start()
        system.wait_in_sync()
        bench.change(system, "198.20.0.8")
        time.sleep(rig.SETTLE_SECONDS)
        pids = rig.processes(system)
        of = {name: procfs.memory(pid) for name, pid in pids.items()}
        once = len(set().union(*(procfs.pages(pid) for pid in pids.values()))) * procfs.PAGE / 1e6
        count = {name: procfs.threads(pid) for name, pid in pids.items()}
        others = procfs.named("esddns-webd") - 1
    with _empty_programs() as empty:
        nothing = _mb(sum(procfs.memory(pid)["Pss"] for pid in empty))
        nothing_once = len(set().union(*(procfs.pages(pid) for pid in empty))) * procfs.PAGE / 1e6
    figures = [Figure(f"PSS {name}", _mb(m["Pss"]), "MB", note=f"{_mb(m['Anonymous']):.1f} MB of "
                      f"it its own data; {count[name]} threads") for name, m in of.items()]
    figures.append(Figure("PSS of all", _mb(sum(m["Pss"] for m in of.values())), "MB", LIMIT_MB,
                          note=f"{others} other ESDDNS here share its libraries: too low"
                          if others else ""))
    figures.append(Figure("PSS of empty programs, same libraries", nothing, "MB"))
    if once:
        figures.append(Figure("all, if nothing else shared a page", once, "MB"))
        figures.append(Figure("empty programs, in the same way", nothing_once, "MB"))
    return ("Memory", "after an address change and two writes, over HTTPS; the system's CA bundle",
            figures)
