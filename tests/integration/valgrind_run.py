"""One whole run of an optimised build under valgrind: no error, no leak, no descriptor left.

Not collected with the other tests, since those run a sanitized build; name it to pytest:
ESDDNS_BUILD=build/plain pytest tests/integration/valgrind_run.py
"""

import pathlib
import re
import shutil
import stat

import pytest

import esddns
from conftest import WAN4
from waiting import wait_for

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 240     # seconds: valgrind is slow, and runs one thread at a time
NEW4 = "198.20.0.99"
ERROR_CODE = 99
OPTIONS = (f"--error-exitcode={ERROR_CODE}", "--leak-check=full",
           "--errors-for-leak-kinds=definite,indirect", "--show-leak-kinds=definite,indirect",
           "--track-fds=yes", "--num-callers=25", "--child-silent-after-fork=yes",
           f"--suppressions={HERE}/valgrind.supp")


def wrap(build, directory):
    """Programs of the same names that run those of the build under valgrind."""
    directory.mkdir()
    for program in esddns.PROGRAMS:
        script = directory / program
        script.write_text(f"#!/bin/sh\nexec valgrind {' '.join(OPTIONS)} "
                          f"--log-file={directory}/valgrind.{program}.%p {build}/{program} \"$@\"\n",
                          encoding="utf-8")
        script.chmod(stat.S_IRWXU)
    return directory


@pytest.fixture(name="wrapped")
def fixture_wrapped(tmp_path):
    assert shutil.which("valgrind"), "valgrind is missing; on Debian: apt-get install valgrind"
    return wrap(esddns.BUILD, tmp_path / "wrapped")


def slowly(box):
    """Times that leave room for TLS under valgrind."""
    return esddns.config_for(
        box, provider={"timeout": "50s"}, updater={"interval": "10min"},
        detector={"timeout": "20s", "interval": "10min", "tripwire": "2s", "confirm": "1s"},
        units={name: {"TimeoutStartSec": "2min", "WatchdogSec": "1min"}
               for name in ("detector", "updater", "webd")})


def reports_of(directory):
    """{program: [what valgrind said about each process]}"""
    reports = {}
    for path in sorted(directory.glob("valgrind.*")):
        text = path.read_text(encoding="utf-8", errors="replace")
        reports.setdefault(path.name.split(".")[1], []).append(text)
    return reports


def left_open(report):
    """The descriptors that the process had at its end, each with where it was opened.

    Not counted: the standard ones, valgrind's own log, what nng opened, and what its callbacks
    write to. Sockets of nng stay until the process ends, since closing one may wait for ever
    (ipc/bus.c, bus_publisher_free()).
    """
    blocks = re.findall(r"Open (?:file descriptor|AF_\w+ socket) \d+:.*\n(?:==\d+==    ?.+\n)*",
                        report)
    return [block for block in blocks
            if int(re.search(r" (\d+):", block)[1]) > 2 and
            not ("/valgrind." in block.splitlines()[0] and "<inherited from parent>" in block) and
            not re.search(r"(?:eventfd|epoll_create1|socket|accept4?|pipe2?) .*\n.*/libnng\.so",
                          block) and
            not re.search(r"eventfd .*\n.*: new_wake \(bus\.c", block)]


def findings(report):
    """What is wrong in one report, as lines."""
    wrong = []
    errors = re.findall(r"ERROR SUMMARY: (\d+) errors", report)
    if errors != ["0"]:
        wrong.append(f"errors: {errors or 'the process did not come to its end'}")
    wrong += re.findall(r"(?:definitely|indirectly) lost: [1-9].*", report)
    wrong += [f"left open: {block}" for block in left_open(report)]
    if "FILE DESCRIPTORS:" not in report:
        wrong.append("the descriptors were not counted")
    return wrong


def test_the_findings_are_found():
    """A report that says something is wrong must not pass."""
    clean = ("==1== FILE DESCRIPTORS: 4 open (3 std) at exit.\n"
             "==1== Open file descriptor 3: /tmp/x/valgrind.esddns.1\n"
             "==1==    <inherited from parent>\n==1== \n"
             "==1== Open file descriptor 10:\n==1==    at 0x1: epoll_create1 (t.S:120)\n"
             "==1==    by 0x2: ??? (in /usr/lib/x86_64-linux-gnu/libnng.so.1.5.2)\n==1== \n"
             "==1== ERROR SUMMARY: 0 errors from 0 contexts\n")
    assert not findings(clean)
    assert findings(clean.replace("0 errors", "1 errors"))
    assert findings(clean.replace("ERROR SUMMARY", ""))
    assert findings(clean.replace("FILE DESCRIPTORS", ""))
    assert findings(clean.replace("libnng", "libcurl"))
    assert findings(clean.replace("epoll_create1", "open"))
    assert findings(clean.replace("inherited from parent", "opened"))
    assert findings(clean + "==1==    definitely lost: 16 bytes in 1 blocks\n")
    assert findings(clean + "==1== Open AF_UNIX socket 5: <unknown>\n==1==    at 0x1: socket\n")
    assert findings(clean + "==1== Open file descriptor 9: /tmp/x\n")


def test_a_whole_run_is_clean(box, launch, wrapped):
    system = launch(slowly(box), build=wrapped)
    system.wait_in_sync(LIMIT)
    assert box.rrset("example.com", "@", "A")["rrset_values"] == [WAN4]

    box.set_wan(NEW4)
    system.detect()
    system.wait_address(NEW4, LIMIT)
    wait_for(lambda: box.rrset("example.com", "@", "A")["rrset_values"] == [NEW4],
             "the new address in the zone", LIMIT, system.evidence)
    system.wait_in_sync(LIMIT)
    assert NEW4 in system.page().text
    for path in ("/raw", "/api/v1/state", "/metrics", "/healthz", "/style.css", "/page.js"):
        assert system.ask(path).status == 200, path
    assert system.ask("/nothing").status == 404

    code, _ = system.stop()
    reports = reports_of(wrapped)
    assert sorted(reports) == sorted(esddns.PROGRAMS), "a process left no report"
    wrong = {name: found for name, texts in reports.items()
             for found in [sum((findings(text) for text in texts), [])] if found}
    assert not wrong and code == 0, f"esddns ended with {code}: {wrong}\n" + "\n".join(
        text for texts in reports.values() for text in texts if findings(text))
