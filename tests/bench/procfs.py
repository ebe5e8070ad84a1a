"""What the kernel counts for a process: memory, context switches, time on a core."""

import os
import pathlib
import struct
import time

PAGE = os.sysconf("SC_PAGE_SIZE")
PAGE_PRESENT = 1 << 63
PAGE_FRAME = (1 << 55) - 1
SAMPLE_SECONDS = 0.5


def _read(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text(encoding="ascii", errors="replace")


def memory(pid):
    """{"Pss": KiB, "Anonymous": KiB, ...}: proportional shares, all mappings together."""
    lines = _read(pid, "smaps_rollup").splitlines()[1:]
    return {name: int(rest.split()[0])
            for name, _, rest in (line.partition(":") for line in lines)}


def pages(pid):
    """The page frames that a process has mapped. Only root is told their numbers."""
    frames = set()
    with open(f"/proc/{pid}/pagemap", "rb", 0) as pagemap:
        for line in _read(pid, "maps").splitlines():
            if line.endswith(("[vsyscall]", "[vvar]", "[vvar_vclock]", "[vdso]")):
                continue
            start, end = (int(x, 16) // PAGE for x in line.split()[0].split("-"))
            pagemap.seek(start * 8)
            data = pagemap.read((end - start) * 8)
            frames.update(entry & PAGE_FRAME for (entry,) in struct.iter_unpack("=Q", data)
                          if entry & PAGE_PRESENT)
    frames.discard(0)
    return frames


def _tasks(pid):
    return os.listdir(f"/proc/{pid}/task")


def threads(pid):
    return len(_tasks(pid))


def switches(pid):
    """Context switches so far, voluntary or not, of all threads that live."""
    return sum(int(line.split()[1]) for task in _tasks(pid)
               for line in _read(pid, f"task/{task}/status").splitlines()
               if "voluntary_ctxt_switches" in line)


def core_seconds(pid):
    """Time on a core so far, of all threads that live; counted in nanoseconds."""
    return sum(int(_read(pid, f"task/{task}/schedstat").split()[0])
               for task in _tasks(pid)) / 1e9


def named(name):
    """How many processes of that name the machine has."""
    found = 0
    for entry in pathlib.Path("/proc").iterdir():
        try:
            found += entry.name.isdecimal() and \
                (entry / "comm").read_text(encoding="ascii", errors="replace").strip() == name[:15]
        except (FileNotFoundError, ProcessLookupError):
            pass        # it ended meanwhile
    return found


def pin(pid, core):
    for task in _tasks(pid):
        os.sched_setaffinity(int(task), {core})


def _core_times():
    """(time not idle, all time) of all cores so far."""
    fields = [int(x) for x in
              pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def load(seconds=SAMPLE_SECONDS):
    """How busy the machine is with whatever runs, measured now: 0 to 1."""
    busy, total = _core_times()
    time.sleep(seconds)
    busy_now, total_now = _core_times()
    return (busy_now - busy) / max(1, total_now - total)
