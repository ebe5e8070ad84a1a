"""The supervisor and its workers: deaths, ends in order, wrong starts, reloads."""

import os
import re
import shutil
import signal
import socket
import time

import pytest

import esddns
import netns
import processes
from conftest import WAN4
from waiting import wait_for

UNITS = ("detector", "updater", "webd")
NEW4 = "198.20.0.99"
WRONG = """\
runtime_dir: {dir}/run
state_dir: {dir}/state
records:
  - {{zone: example.com, name: "@", type: A, ttl: 299}}
  - {{zone: example, type: MX}}
provider:
  url: http://api.example.net/v5
detector:
  intervall: 30s
  interval: 30 parsecs
updater: {{interval: 30s, interval: 40s}}
webd: {{listen: ["localhost"]}}
"""
# line, and what the sentence must name
MISTAKES = [(4, "ttl", "299"), (5, "example",), (5, "type", "MX"), (7, "http://"),
            (9, "intervall", "interval"), (10, "parsecs"), (11, "interval"), (12, "localhost")]


# --- deaths ----------------------------------------------------------------------------

@pytest.mark.parametrize("unit", UNITS)
def test_a_killed_worker_is_back_at_once(box, running, unit):
    old = running.pid_of(unit)
    others = {u: p for u, p in running.units().items() if u != unit}
    started = time.monotonic()
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: running.units().get(unit, old) != old, f"a new {unit}", 5,
             running.log_text)
    respawned = time.monotonic() - started
    running.wait_state(lambda s: any(u["name"] == unit and u["state"] == "active" and
                                     u["pid"] != old for u in s["units"]), f"{unit} is up", 5)
    print(f"{unit}: a new process after {respawned:.2f} s, up and shown after "
          f"{time.monotonic() - started:.2f} s")
    assert respawned < (1.5 if esddns.is_sanitized() else 1)     # RestartSec is 500 ms
    running.wait_in_sync()
    state = running.state()
    assert {u["name"]: u["restarts"] for u in state["units"]} == \
        dict.fromkeys(others, 0) | {unit: 1}
    assert {u: p for u, p in running.units().items() if u != unit} == others
    assert "killed by signal 9" in next(u["last_exit"] for u in state["units"]
                                        if u["name"] == unit)
    assert running.metric("esddns_unit_restarts_total", unit=unit) == 1
    assert running.wait_log(unit, "killed by signal 9")
    box.set_wan(NEW4)           # and the job goes on
    running.wait_address(NEW4)
    running.wait_in_sync()


def test_while_the_detector_is_down_nothing_is_shown_as_fresh(box, launch):
    system = launch(esddns.config_for(
        box, detector={"interval": "2s", "timeout": "1s"}, updater={"interval": "1s"},
        units={"detector": {"RestartSec": "30s", "RestartMaxDelaySec": "60s"}}))
    system.wait_in_sync()
    os.kill(system.pid_of("detector"), signal.SIGKILL)
    system.wait_page("The detector does not run", limit=5)
    assert re.search(r"What it said last is \d+ m?s old", system.page().text)
    assert system.state()["verdict"]["level"] == "bad"
    assert system.metric("esddns_service_health", component="detector") == 0
    state = system.wait_state(lambda s: not s["wan"]["ipv4"]["usable"],
                              "the address is not usable after twice the interval", 15)
    assert state["wan"]["ipv4"]["confirmed_age_ms"] > 4000
    assert system.raw()["wan_ip_state"]["usable"] is False
    assert "points to" not in system.page().text
    # and nothing is written for an address that nobody confirms any more
    writes = box.counts()["gandi.PUT"]
    box.edit("example.com", "@", "A", ["198.20.0.66"])
    system.wait_state(lambda s: s["records"][0]["state"] == "held", "the record is held")
    reads = box.counts()["gandi.GET"]
    wait_for(lambda: box.counts()["gandi.GET"] > reads + 1, "more checks")
    assert box.counts()["gandi.PUT"] == writes


def test_a_detector_that_hangs_is_shown_and_replaced(box, launch):
    """Stopped, it answers nothing and is not dead: only the watchdog finds it."""
    system = launch(esddns.config_for(box, units={
        "detector": {"WatchdogSec": "2s", "TimeoutAbortSec": "1s"}}))
    system.wait_in_sync()
    old = system.pid_of("detector")
    os.kill(old, signal.SIGSTOP)
    wait_for(lambda: system.units().get("detector", old) != old, "a new detector", 15,
             system.log_text)
    assert system.log_lines("watchdog", "detector")
    system.strays_allowed = ("",)       # a sanitizer may say why it was aborted
    system.wait_in_sync()


def test_a_worker_that_keeps_crashing_is_started_less_and_less_often(box, launch):
    system = launch(esddns.config_for(box), start=False)
    crasher = system.directory / "crasher"
    crasher.write_text("#!/bin/sh\nexit 3\n")
    crasher.chmod(0o755)
    system.write_config(units={"updater": {"ExecStart": [str(crasher)], "RestartSec": "100ms",
                                           "RestartMaxDelaySec": "10s", "StartLimitBurst": 5}})
    system.start()
    lines = system.wait_log("updater", "exited with 3", more_than=4)
    assert all(e.unit == "supervisor" for e in lines)
    state = system.wait_state(lambda s: any(u["name"] == "updater" and u["state"] == "failed"
                                            for u in s["units"]), "it is given up")
    assert system.ask("/healthz").status == 503
    assert state["wan"]["ipv4"]["address"] == WAN4      # the rest goes on: degraded
    system.wait_page("updater has failed")
    times = [e.time for e in system.log_lines("updater", "exited with 3")]
    gaps = [seconds(b) - seconds(a) for a, b in zip(times, times[1:])]
    assert gaps == sorted(gaps), gaps


def seconds(text):
    hours, minutes, rest = text.partition("T")[2].rstrip("Z").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def test_a_worker_that_fails_for_good_ends_the_whole_where_it_is_told_to(box, launch):
    system = launch(esddns.config_for(box, on_failure="exit"), start=False)
    crasher = system.directory / "crasher"
    crasher.write_text("#!/bin/sh\nexit 3\n")
    crasher.chmod(0o755)
    system.write_config(units={"detector": {"ExecStart": [str(crasher)], "RestartSec": "50ms",
                                            "RestartMaxDelaySec": "100ms", "StartLimitBurst": 2}})
    system.start()
    assert system.wait(20) == 3
    system.expected_codes = (3,)


# --- ends ------------------------------------------------------------------------------

def test_term_ends_everything_in_order(running):
    pids = set(running.units().values())
    code, took = running.stop()
    assert code == 0
    assert not any(processes.is_alive(pid) for pid in pids)
    print(f"SIGTERM: all gone after {took:.2f} s")
    assert took < (4 if esddns.is_sanitized() else 1)
    stopped = [e.get("worker") for e in running.log_lines("the unit has stopped")]
    assert sorted(stopped) == sorted(UNITS)
    assert stopped.index("detector") < stopped.index("updater")     # the reverse of After
    assert running.log()[-1].unit == "supervisor"
    assert not list((running.directory / "run").glob("*.sock"))


def test_interrupt_ends_everything_too(running):
    code, _ = running.stop(signal.SIGINT)
    assert code == 0


def test_no_worker_survives_a_killed_supervisor(running):
    pids = running.units()
    assert set(pids) == set(UNITS)
    started = time.monotonic()
    running.kill()
    wait_for(lambda: not any(processes.is_alive(pid) for pid in pids.values()),
             "all workers ended", 1)
    print(f"after kill -9 of the supervisor: all gone after {time.monotonic() - started:.3f} s")


def test_a_start_after_a_crash_works(running):
    """Nothing that a killed run left behind is in the way."""
    running.kill()
    running.start()
    running.wait_in_sync()


def test_a_stopped_supervisor_takes_hung_workers_with_it(box, launch):
    system = launch(esddns.config_for(box, units={"updater": {"TimeoutStopSec": "1s"}}))
    system.wait_in_sync()
    os.kill(system.pid_of("updater"), signal.SIGSTOP)
    code, took = system.stop()
    # CONT follows TERM, so that even a stopped worker ends in order
    assert code == 0 and took < 7, took     # the whole may take 8 s


# --- starts ------------------------------------------------------------------------------

def test_a_second_one_names_the_first(box, running):
    code, text = esddns.run_esddns("-c", str(running.file),
                                   environment={"GANDI_API_KEY": esddns.TOKEN})
    assert code == 1
    assert str(running.pid) in text and str(running.directory / "run") in text, text
    running.wait_in_sync()


def test_all_mistakes_of_a_configuration_are_told_at_once(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG.format(dir=tmp_path))
    for arguments in ["-c", str(file)], ["--check-config", "-c", str(file)]:
        code, text = esddns.run_esddns(*arguments, environment={"GANDI_API_KEY": "x"})
        assert code == 78
        for line, *words in MISTAKES:
            found = [t for t in text.splitlines() if f"{file}:{line}:" in t or
                     f"wrong.yaml:{line}:" in t]
            assert any(all(w in t for w in words) for t in found), (line, words, text)
    assert not (tmp_path / "run").exists()


def test_a_valid_configuration_is_confirmed(box, launch):
    system = launch(esddns.config_for(box), start=False)
    code, text = esddns.run_esddns("--check-config", "-c", str(system.file),
                                   environment={"GANDI_API_KEY": esddns.TOKEN})
    assert code == 0 and "configuration is valid" in text and "example.com" in text
    assert esddns.TOKEN not in text


def test_the_command_line():
    code, text = esddns.run_esddns("--help")
    assert code == 0 and all(len(line) <= 80 for line in text.splitlines())
    assert esddns.run_esddns("--version")[0] == 0
    assert esddns.run_esddns("--nonsense")[0] == 64
    assert esddns.run_esddns("more")[0] == 64
    code, text = esddns.run_esddns("-c", "/nonexistent/esddns.yaml")
    assert code == 78 and "/nonexistent/esddns.yaml" in text


# --- reloads -----------------------------------------------------------------------------

def test_a_reload_with_mistakes_keeps_the_old_configuration(box, running):
    pids = running.units()
    good = running.file.read_text()
    running.file.write_text(WRONG.format(dir=running.directory))
    running.send(signal.SIGHUP)
    running.wait_log("old", "stays in force")
    for line, *words in MISTAKES:
        assert running.log_lines(f"esddns.yaml:{line}:", *words), (line, words)
    assert running.units() == pids
    box.set_wan(NEW4)
    running.wait_address(NEW4)
    running.wait_in_sync()
    assert [r["name"] for r in running.state()["records"]] == ["@"]
    running.file.write_text(good)
    running.send(signal.SIGHUP)
    running.wait_log("in force", "read again")


def test_a_reload_takes_a_new_record_without_a_restart(box, running):
    pids = running.units()
    since = running.state()["wan"]["ipv4"]["detected_at"]
    running.write_config(records=[
        {"zone": "example.com", "name": "@", "type": "A", "ttl": 300},
        {"zone": "example.org", "name": "new", "type": "A", "ttl": 900},
        {"zone": "example.com", "name": "six", "type": "AAAA", "ttl": 300}])
    running.send(signal.SIGHUP)
    running.wait_state(lambda s: len(s["records"]) == 3, "three records are shown")
    running.wait_in_sync()
    assert box.rrset("example.org", "new", "A")["rrset_ttl"] == 900
    assert box.rrset("example.com", "six", "AAAA")
    assert running.units() == pids
    assert running.state()["wan"]["ipv4"]["detected_at"] == since
    running.write_config(records=[{"zone": "example.org", "name": "new", "type": "A", "ttl": 900}])
    running.send(signal.SIGHUP)
    state = running.wait_state(lambda s: len(s["records"]) == 1, "one record is left")
    assert state["records"][0]["fqdn"] == "new.example.org"
    assert box.rrset("example.com", "@", "A"), "a record that is no longer kept is not deleted"
    assert running.metrics().samples("esddns_state_in_sync") == [
        ({"domain": "new.example.org"}, 1)]


def test_a_reload_moves_webd_to_another_port(running):
    port, = esddns.free_ports(1)
    pids = running.units()
    old = running.port
    running.write_config(webd={"listen": [f"127.0.0.1:{port}"]})
    running.send(signal.SIGHUP)
    running.port = port
    wait_for(lambda: running.ask("/raw").status == 200, "the new port answers", 10,
             running.log_text)
    assert running.units() == pids
    with pytest.raises(ConnectionRefusedError):
        running.port = old
        running.ask("/raw")
    running.port = port


# --- surroundings -------------------------------------------------------------------------

def test_a_port_in_use_does_not_stop_the_dns_work(box, launch):
    system = launch(esddns.config_for(box), start=False)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", system.port))
        holder.listen()
        system.start()
        wait_for(lambda: box.rrset("example.com", "@", "A"), "the record is written", 30,
                 system.log_text)
        assert system.wait_log("webd", str(system.port), "another program")
        system.wait_log("webd", "exited with 1", more_than=1)
        assert set(system.units()) >= {"detector", "updater"}
    system.wait_in_sync(60)     # it comes up by itself once the port is free


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 100, b'{"v":1}', b"x" * 100000],
                         ids=["empty", "truncated", "zeros", "missing", "garbage"])
def test_a_corrupt_state_file_is_set_aside(box, launch, content):
    system = launch(esddns.config_for(box), start=False)
    state = system.directory / "state"
    state.mkdir(mode=0o700)
    name = state_file_name(box, launch)
    (state / name).write_bytes(content)
    system.start()
    system.wait_in_sync()
    assert [e for e in system.log(unit="detector") if e.level in ("warn", "error") and
            name in e.text], "it is reported"
    assert list(state.glob("*.corrupt"))[0].read_bytes() == content
    assert system.state()["wan"]["uid"]


_state_file = []


def state_file_name(box, launch):
    """What the state file is called is found out from a run."""
    if not _state_file:
        system = launch(esddns.config_for(box))
        system.wait_in_sync()
        names = [p.name for p in (system.directory / "state").iterdir()
                 if p.is_file() and p.stat().st_size and b"uid" in p.read_bytes()]
        assert len(names) == 1, names
        _state_file.extend(names)
    return _state_file[0]


def test_a_state_directory_that_cannot_be_written_is_lived_with(box, launch):
    system = launch(esddns.config_for(box), start=False)
    # root writes everywhere except where there is no directory to write to
    (system.directory / "state").write_text("a file where the directory should be\n")
    system.start()
    state = system.wait_state(lambda s: s["records"][0]["in_sync"], "the record is in sync")
    assert [e for e in system.log() if e.level in ("warn", "error") and
            str(system.directory / "state") in e.text]
    assert state["leader"]["reason"]
    box.set_wan(NEW4)
    system.wait_address(NEW4)
    system.wait_state(lambda s: s["records"][0]["in_sync"] and
                      s["records"][0]["values"] == [NEW4], "the change is followed")


def test_the_token_is_nowhere_to_be_seen(box, launch):
    """Not in logs, command lines, environments, answers; and webd cannot leak what it has not."""
    token = "sandbox-" + os.urandom(12).hex()
    box.call("PUT", "/gandi/token", {"bearer": token})
    system = launch(esddns.config_for(box, log={"level": "debug"}),
                    environment={"GANDI_API_KEY": token})
    system.wait_in_sync()
    everyone = {"supervisor": system.pid} | system.units()
    assert set(everyone) == {"supervisor", *UNITS}
    for name, pid in everyone.items():
        for file in "cmdline", "environ":
            assert token.encode() not in processes.read(pid, file), (name, file)
    assert processes.memory_holds(everyone["updater"], token.encode()), \
        "the updater needs it: if it is not found there, the search finds nothing"
    assert not processes.memory_holds(everyone["webd"], token.encode())
    assert not processes.memory_holds(everyone["detector"], token.encode())
    for path in ("/", "/raw", "/api/v1/state", "/metrics", "/healthz", "/readyz", "/page.js"):
        assert token not in system.ask(path).text, path
    assert token not in system.log_text()
    for file in system.directory.rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes(), file


def test_the_directories_are_private(running):
    for name in ("run", "state"):
        assert (running.directory / name).stat().st_mode & 0o777 == 0o700
    for file in (running.directory / "state").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_any_user_will_do_and_a_root_that_is_read_only(box, launch):
    """No name, no group, no capability, and nothing to write but its own two directories."""
    anybody = 54321
    system = launch(esddns.config_for(box), start=False, uid=anybody, environment={
        "GANDI_API_KEY": esddns.TOKEN, "ASAN_OPTIONS": "detect_leaks=0"})
    ca_file = system.directory / "ca.crt"
    shutil.copyfile(box.state["ca_file"], ca_file)
    system.write_config(provider={"ca_file": str(ca_file)}, detector={"ca_file": str(ca_file)})
    system.wrap(netns.read_only(system.directory))
    system.start()
    system.wait_in_sync()
    mounts = processes.read(system.pid, "mountinfo").decode().splitlines()
    assert any(line.split()[4] == "/" and line.split()[5].startswith("ro") for line in mounts)
    for pid in (system.pid, *system.units().values()):
        status = processes.read(pid, "status").decode()
        assert f"Uid:\t{anybody}\t{anybody}\t{anybody}\t{anybody}" in status
        assert re.search(r"CapEff:\t0+\n", status) and re.search(r"CapBnd:\t0+\n", status)
    box.set_wan(NEW4)
    system.wait_address(NEW4)
    system.wait_in_sync()
    assert not system.log(level="error")
    assert system.stop()[0] == 0


def test_it_works_as_an_ordinary_user(box, launch):
    nobody = 65534
    system = launch(esddns.config_for(box), start=False, uid=nobody, environment={
        "GANDI_API_KEY": esddns.TOKEN,
        # a process that is not dumpable cannot be searched for leaks by its own child
        "ASAN_OPTIONS": "detect_leaks=0"})
    ca_file = system.directory / "ca.crt"       # where that user can read it
    shutil.copyfile(box.state["ca_file"], ca_file)
    system.write_config(provider={"ca_file": str(ca_file)}, detector={"ca_file": str(ca_file)})
    system.start()
    system.wait_in_sync()
    for pid in (system.pid, *system.units().values()):
        status = processes.read(pid, "status").decode()
        assert f"Uid:\t{nobody}\t{nobody}\t{nobody}\t{nobody}" in status
        assert re.search(r"CapEff:\t0+\n", status)
    for pid in system.units().values():
        assert "NoNewPrivs:\t1" in processes.read(pid, "status").decode()
    box.set_wan(NEW4)
    system.wait_address(NEW4)
    system.wait_in_sync()
    assert system.stop()[0] == 0

