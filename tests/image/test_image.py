"""The image, run as a user of Docker runs it, and what is in it."""

import json
import re
import shlex
import stat
import subprocess

import pytest

import esddns
import processes
from archive import LIMIT
from conftest import TOP
from engine import CAREFUL, READ_ONLY, working_set
from waiting import wait_for

PROGRAMS = {"usr/bin/esddns", "usr/bin/esddnsctl", "usr/libexec/esddns/esddns-detector",
            "usr/libexec/esddns/esddns-updater", "usr/libexec/esddns/esddns-webd"}
# Nothing is there but this. Without a mount any user makes a directory of his own in the last two.
FOLDERS = ("usr/bin/", "usr/libexec/esddns/", "usr/lib/", "usr/lib64/", "usr/share/doc/",
           "usr/share/common-licenses/", "var/lib/dpkg/status.d/", "etc/ssl/certs/ca-certificates.crt")
OPEN = {"run", "var/lib/esddns"}
MIB = 1024 * 1024


def status_of(pid):
    """The fields of /proc/PID/status."""
    return dict(line.split(":\t", 1) for line in
                processes.read(pid, "status").decode().splitlines() if ":\t" in line)


def version():
    text = (TOP / "configure.ac").read_text(encoding="utf-8")
    return re.search(r"AC_INIT\(\[esddns\], \[([^]]*)\]", text)[1]


# --- running it --------------------------------------------------------------------------


def test_it_keeps_a_record_without_any_mount_but_its_configuration(run, box):
    container = run()
    container.wait_in_sync()
    assert box.rrset("example.com", "@", "A")["rrset_values"] == ["198.20.0.7"]
    active = dict.fromkeys(("detector", "updater", "webd"), "active")
    wait_for(lambda: {u["name"]: u["state"] for u in container.state()["units"]} == active,
             "the page shows all units active", evidence=container.log_text)
    for pid in (container.pid, *processes.units_of(container.pid).values()):
        assert status_of(pid)["Uid"].split() == ["65532"] * 4
    box.set_wan("198.20.0.8")
    wait_for(lambda: box.rrset("example.com", "@", "A")["rrset_values"] == ["198.20.0.8"],
             "the record follows", evidence=container.log_text)


def test_the_command_of_the_readme(run, box):
    """Its options, with one record from the environment; only where the world is comes from a file."""
    text = (TOP / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    command = shlex.split(re.search(r"^docker run (.*) esddns$", text, re.MULTILINE)[1])
    command.remove("-d")
    at = command.index("GANDI_API_KEY")     # of the caller's environment
    assert command[at - 1] == "-e" and not any("GANDI_API_KEY=" in part for part in command)
    command[at] = f"GANDI_API_KEY={esddns.TOKEN}"
    container = run(*command, config={"records": None}, environment={})
    container.wait_in_sync()
    assert box.rrset("example.com", "home", "A")["rrset_values"] == ["198.20.0.7"]
    # the next line there
    assert re.search("^docker exec esddns esddnsctl status$", text, re.MULTILINE)
    assert container.execute("esddnsctl", "status")[0] == 0


@pytest.mark.parametrize("user", ["65532:65532", "12345:0", "1000:1000"])
def test_it_needs_no_right_at_all(run, user):
    """A root that cannot be written, no capability, no new privileges, any user."""
    container = run(*CAREFUL, "--user", user)
    container.wait_in_sync()
    for pid in (container.pid, *processes.units_of(container.pid).values()):
        status = status_of(pid)
        assert status["Uid"].split() == [user.partition(":")[0]] * 4
        assert status["Gid"].split() == [user.partition(":")[2]] * 4
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert status["NoNewPrivs"].strip() == "1"
        assert status["Seccomp"].strip() == "2"
    mounts = processes.read(container.pid, "mountinfo").decode().splitlines()
    root = next(line.split() for line in mounts if line.split()[4] == "/")
    assert "ro" in root[5].split(",")


def test_any_user_without_a_mount(run):
    container = run("--user", "12345:0", "--cap-drop", "ALL")
    container.wait_in_sync()


def test_another_user_can_do_nothing_with_it(run, engine):
    """The sockets are for its user alone, though the directory above is everyone's."""
    container = run()
    container.wait_in_sync()
    code, said, complaint = engine.call("exec", "--user", "12345", container.identity, "esddnsctl",
                                        "ping")
    assert code == 69, said + complaint


def test_a_volume_keeps_the_address(run, box):
    """A new volume takes on the mode of the directory in the image: so any user's."""
    options = ("--volume", "kept:/var/lib/esddns", "--user", "12345:12345")
    first = run(*READ_ONLY, *options)
    uid = first.wait_in_sync()["wan"]["uid"]
    assert first.stop() == 0
    for name in ("alpha", "bravo", "charlie", "stun1", "stun2"):
        box.fault(name, mode="close")
    second = run(*READ_ONLY, *options)
    state = wait_for(lambda: second.state() if second.state()["wan"]["ipv4"]["address"] else None,
                     "the address from before", evidence=second.log_text)
    assert state["wan"]["ipv4"]["address"] == "198.20.0.7" and state["wan"]["uid"] == uid


def test_the_token_may_be_a_file_of_its_user(run, box):
    container = run(*CAREFUL, "--user", "12345:12345", environment={},
                    config={"provider": {"token_file": "/etc/esddns/gandi/token"}}, owner=12345)
    container.wait_in_sync()
    assert box.counts()["gandi.PUT"] == 1


def test_the_bundle_of_authorities_is_where_it_is_looked_for(run, box, engine):
    """With the sandbox's authority in its place, and none in the configuration, TLS works; with the
    image's own it must not."""
    authority = box.state["ca_file"]
    plain = {"provider": {"ca_file": None}, "detector": {"ca_file": None}}
    container = run("--volume", f"{authority}:/etc/ssl/certs/ca-certificates.crt:ro", config=plain)
    container.wait_in_sync()
    stranger = run(config=plain)
    wait_for(lambda: stranger.log_lines("certificate"), "a refused certificate",
             evidence=stranger.log_text)
    assert box.counts()["gandi.PUT"] == 1


def test_the_first_process_reaps_what_is_left_to_it(run):
    container = run()
    container.wait_in_sync()
    first = container.pid
    webd = processes.units_of(first)["webd"]
    # an orphan in the container's own space of processes; its new parent is the first process
    subprocess.run(["nsenter", "--target", str(first), "--pid", "--", "sh", "-c",
                    "sleep 0.3 & exit 0"], check=True)

    def orphans():
        found = {pid: processes.stat(pid) for pid in processes.everyone()}
        return [pid for pid, known in found.items() if known and known[2] == first and
                known[0] == "sleep"]

    wait_for(orphans, "the orphan has its new parent")
    wait_for(lambda: not orphans(), "the orphan is reaped")
    # a worker that is killed: reaped, and started again
    subprocess.run(["kill", "-KILL", str(webd)], check=True)
    wait_for(lambda: processes.stat(webd) is None, "the worker is reaped")
    wait_for(lambda: processes.units_of(first).get("webd"), "the worker is started again",
             evidence=container.log_text)


def test_docker_stop_ends_it_in_order(run):
    container = run(*CAREFUL)
    container.wait_in_sync()
    workers = list(processes.units_of(container.pid).values())
    assert container.stop(seconds=10) == 0
    assert not any(processes.is_alive(pid) for pid in workers)
    assert container.log_lines("has stopped", "detector")
    assert not container.log_lines("signal 9")


def test_it_logs_json(run):
    container = run()
    container.wait_in_sync()
    lines = container.log_text().splitlines()
    units = {json.loads(line)["unit"] for line in lines}
    assert units == {"supervisor", "detector", "updater", "webd"}


def test_a_wrong_configuration_is_told_in_whole(engine, tmp_path):
    file = tmp_path / "esddns.yaml"
    file.write_text("records:\n  - {zone: example.com, name: home, type: AAA, ttl: 7}\n"
                    "provider: {nmae: gandi}\nlog: {level: loud}\n", encoding="utf-8")
    file.chmod(0o644)
    code, text = engine.run_to_end(options=("--volume", f"{file}:/etc/esddns/esddns.yaml:ro",
                                            "--env", f"GANDI_API_KEY={esddns.TOKEN}"))
    assert code == 78
    for line, word in ((2, "AAA"), (2, "ttl"), (3, "nmae"), (4, "loud")):
        assert any(f":{line}" in found and word in found for found in text.splitlines()), (word, text)
    assert esddns.TOKEN not in text


def test_without_a_configuration_it_says_what_to_give(engine):
    code, text = engine.run_to_end()
    assert code == 78
    assert "TARGET_DOMAIN_FQDN" in text and "GANDI_API_KEY" in text


# --- what Docker is told ---------------------------------------------------------------------


def test_the_health_check_tells_healthy_from_broken(run):
    container = run(*CAREFUL)
    container.wait_in_sync()
    code, text = container.check_health()
    assert code == 0, text
    assert "198.20.0.7" in text     # what `docker inspect` shows of it
    assert container.execute("esddnsctl", "stop", "webd")[0] == 0
    code, text = container.check_health()
    assert code == 3, text
    assert container.execute("esddnsctl", "start", "webd")[0] == 0
    assert container.check_health()[0] == 0


def test_the_health_check_tells_that_nothing_answers(run):
    container = run(config={"runtime_dir": "/run/elsewhere"})
    container.wait_in_sync()
    assert container.check_health()[0] == 69
    # as the Dockerfile says
    told = run("--env", "ESDDNS_RUNTIME_DIR=/run/elsewhere", config={"runtime_dir": "/run/elsewhere"})
    told.wait_in_sync()
    assert told.check_health()[0] == 0


def test_an_outage_of_the_provider_is_no_illness(run, box):
    container = run(*CAREFUL)
    container.wait_in_sync()
    box.fault("gandi", mode="answer", status=503)
    box.set_wan("198.20.0.9")
    wait_for(lambda: not container.state()["records"][0]["in_sync"], "a record that is not in sync",
             evidence=container.log_text)
    code, text = container.check_health()
    assert code == 0, text


def test_the_image_says_what_it_is(archive, engine):
    config = archive.config["config"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "ESDDNS"
    assert labels["org.opencontainers.image.version"] == version()
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert labels["org.opencontainers.image.description"]
    if (TOP / ".git").exists():     # a release has none
        assert re.fullmatch("[0-9a-f]{40}", labels["org.opencontainers.image.revision"])
    assert archive.tags == [f"localhost/esddns:{version()}"]
    assert engine.run_to_end("--version") == (0, f"esddns {version()}\n")
    assert config["Entrypoint"] == ["/usr/bin/esddns"] and not config.get("Cmd")
    assert config["User"] == "65532:65532" and config["StopSignal"] == "SIGTERM"
    assert set(config["ExposedPorts"]) == {"51339/tcp", "8080/tcp", "51340/tcp"}
    assert config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/esddnsctl", "status"]
    assert config["Env"] == ["PATH=/usr/bin"]


# --- what is in it -----------------------------------------------------------------------------


def test_it_is_small(archive, figures):
    figures += archive.report()
    assert archive.size <= LIMIT


def test_nothing_else_is_in_it(archive):
    """No shell, no package manager, no cache, and no file that somebody forgot."""
    assert set(archive.programs()) == PROGRAMS
    for path, entry in archive.entries.items():
        assert entry.isdir() or path in ("lib", "lib64") or path.startswith(FOLDERS), path
        assert entry.isdir() or entry.isfile() or entry.issym(), f"{path} is a device or a link"


def test_nobody_can_change_it(archive):
    for path, entry in archive.entries.items():
        assert (entry.uid, entry.gid) == (0, 0), path
        assert not entry.mode & (stat.S_ISUID | stat.S_ISGID), path
        if path in OPEN:
            assert entry.isdir() and stat.S_IMODE(entry.mode) == 0o1777, path
        elif not entry.issym():
            assert not entry.mode & (stat.S_IWGRP | stat.S_IWOTH), path
        # what an attacker might ask the kernel for, by an attribute of the file
        assert "SCHILY.xattr.security.capability" not in entry.pax_headers, path


def test_every_library_is_there_and_used(archive, engine):
    loader = next(path for path in archive.libraries() if "/ld-" in path)
    used = {loader}
    for program in archive.programs():
        code, text = engine.run_to_end("--list", f"/{program}",
                                       options=("--entrypoint", f"/{loader}"))
        assert code == 0 and "not found" not in text, text
        for path in re.findall(r"=> (/\S+)", text):
            used.add(path.lstrip("/") if path.startswith("/usr") else f"usr{path}")
    assert used == set(archive.libraries())


def test_each_package_is_named_with_its_licence(archive):
    """So that a scanner knows what to look for, and the licences are kept."""
    named = {path.rpartition("/")[2] for path, entry in archive.entries.items()
             if path.startswith("var/lib/dpkg/status.d/") and entry.isfile()}
    assert {"libc6", "libssl3", "libcurl4", "libmicrohttpd12", "libnng1", "ca-certificates"} <= named
    for package in named:
        assert f"usr/share/doc/{package}/copyright" in archive.entries
    assert "usr/share/doc/esddns/LICENSE" in archive.entries


# --- what it costs ------------------------------------------------------------------------------


def test_memory(run, box, engine, figures):
    engine.forget_pages()
    container = run(*CAREFUL)
    container.wait_in_sync()
    box.set_wan("198.20.0.8")
    wait_for(lambda: box.rrset("example.com", "@", "A")["rrset_values"] == ["198.20.0.8"],
             "the record follows", evidence=container.log_text)
    size = working_set(container.pid) / MIB
    figures.append(f"{size:6.1f} MiB working set of a container; at most 16 MiB")
    assert size <= 16
