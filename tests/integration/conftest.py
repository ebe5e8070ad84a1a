"""Fixtures of the tests of the whole system."""

import contextlib
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "sandbox")]

import client  # noqa: E402
import esddns  # noqa: E402

WAN4, WAN6 = "198.20.0.7", "2001:200::7"
ZONES = ("example.com", "example.org")


@pytest.fixture(scope="session", autouse=True)
def fixture_build():
    """The build under test must be there: nothing is skipped."""
    if "ESDDNS_BUILD" not in os.environ:
        pytest.exit("ESDDNS_BUILD must name the directory with the built programs", 1)
    if os.geteuid() != 0:
        pytest.exit("these tests make network namespaces and read other processes' memory: "
                    "run them as root", 1)
    for program in esddns.PROGRAMS:
        if not os.access(f"{esddns.BUILD}/{program}", os.X_OK):
            pytest.exit(f"{esddns.BUILD}/{program} is missing: build it first", 1)


@pytest.fixture(scope="session", name="shared_box")
def fixture_shared_box():
    with client.Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(name="box")
def fixture_box(shared_box):
    """A sandbox in which nothing has happened yet."""
    box = shared_box
    box.heal()
    box.set_wan(WAN4)
    box.set_wan(WAN6)
    for zone in box.call("GET", "/zones"):
        box.call("DELETE", f"/zones/{zone}")
    for zone in ZONES:
        box.call("PUT", f"/zones/{zone}", "")
    box.call("PUT", "/gandi/token", {"bearer": "sandbox-token", "apikey": "sandbox-apikey"})
    box.call("PUT", "/gandi/forbid", {"methods": []})
    box.clear_log()
    return box


@contextlib.contextmanager
def launching():
    """launch(config, ...) starts a System; all of them end, and are checked, at the end."""
    systems = []

    def launch(config, start=True, **how):
        system = esddns.System(config, **how)
        systems.append(system)
        return system.start() if start else system

    try:
        yield launch
    finally:
        failures = []
        for system in reversed(systems):
            try:
                system.finish()
            except AssertionError as error:
                failures.append(str(error))
        assert not failures, "\n".join(failures)


@pytest.fixture(name="launch")
def fixture_launch():
    with launching() as launch:
        yield launch


@pytest.fixture(name="running")
def fixture_running(box, launch):
    """A system against the sandbox, with its one record in sync."""
    system = launch(esddns.config_for(box))
    system.wait_in_sync()
    return system


@pytest.fixture(scope="module", name="steady_box")
def fixture_steady_box():
    with client.Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module", name="steady")
def fixture_steady(steady_box):
    """Like running, but shared: for tests that change nothing in it."""
    with launching() as launch:
        system = launch(esddns.config_for(steady_box))
        system.wait_in_sync()
        yield system
