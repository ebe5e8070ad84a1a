"""What /proc says about the processes of a system under test."""

import ctypes
import os
import pathlib
import signal

UNITS = {"esddns-detector": "detector", "esddns-updater": "updater", "esddns-webd": "webd"}


def read(pid, name):
    """A file of /proc/PID, or b"" where the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def environ(pid):
    """The environment it was started with; b"" for a container's init that denies it to root."""
    try:
        return read(pid, "environ")
    except PermissionError:
        if (stat(pid) or ("",))[0].startswith("esddns"):
            raise
        return b""


def stat(pid):
    """(name, state, parent) of a process, or None."""
    text = read(pid, "stat").decode(errors="replace")
    if not text:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    return name, fields[0], int(fields[1])


def everyone():
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def is_alive(pid):
    """There, and not a zombie."""
    found = stat(pid)
    return found is not None and found[1] not in "ZX"


def units_of(supervisor):
    """{unit: pid} of the workers that a supervisor has now."""
    units = {}
    for pid in everyone():
        found = stat(pid)
        if found and found[2] == supervisor and found[1] not in "ZX" and found[0] in UNITS:
            units[UNITS[found[0]]] = pid
    return units


def marked(text):
    """Living processes whose environment, as they were started with it, holds the text."""
    needle = text.encode()
    return [pid for pid in everyone() if pid != os.getpid() and is_alive(pid) and
            needle in environ(pid)]


def memory_holds(pid, needle):
    """Does any readable page of the process hold these bytes?"""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in read(pid, "maps").decode(errors="replace").splitlines():
            place, rights = line.split()[:2]
            start, end = (int(x, 16) for x in place.split("-"))
            if "r" in rights and not line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")) \
                    and holds(memory, start, end, needle):
                return True
    return False


def holds(memory, start, end, needle):
    """In pieces, with an overlap: a sanitizer's shadow spans terabytes, nearly all of it holes."""
    piece = 1 << 24
    if end - start > 1 << 32:
        return False    # shadow memory: it holds no data of the program
    while start < end:
        try:
            memory.seek(start)
            if needle in memory.read(min(piece + len(needle), end - start)):
                return True
        except (OSError, OverflowError):
            pass        # a page that cannot be read holds nothing
        start += piece
    return False


def tasks_of(pid):
    """[(thread, its state, the process that traces it)]"""
    found = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return found
    for thread in threads:
        fields = dict(line.split(":\t", 1) for line in
                      read(pid, f"task/{thread}/status").decode().splitlines() if ":\t" in line)
        if fields:
            found.append((int(thread), fields["State"][0], int(fields["TracerPid"])))
    return found


def stuck_leak_check(pid):
    """The thread that the process's own leak check waits for in vain, or None.

    LeakSanitizer stops all threads with SIGSTOP from a tracer, a child of the process. A SIGCONT to
    the process group, which follows the supervisor's SIGTERM, takes such a SIGSTOP back if it comes
    at that very moment; then the tracer waits for ever.
    """
    for thread, state, tracer in tasks_of(pid):
        if state in "RS" and tracer and (stat(tracer) or (0, 0, 0))[2] == pid:
            return thread
    return None


def stop_thread(pid, thread):
    """What the leak check had asked for."""
    ctypes.CDLL(None).tgkill(pid, thread, int(signal.SIGSTOP))
