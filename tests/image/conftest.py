"""Fixtures of the tests of the image."""

import os
import pathlib
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parent / "sandbox")]

import client  # noqa: E402
import esddns  # noqa: E402
from archive import Archive  # noqa: E402
from engine import Container, Engine  # noqa: E402

IMAGE = pathlib.Path(os.environ.get("ESDDNS_IMAGE", TOP / "build/image/esddns.tar"))
FIGURES = []


@pytest.fixture(scope="session", autouse=True)
def fixture_needed():
    """What is needed must be there: nothing is skipped."""
    if os.geteuid() != 0:
        pytest.exit("these tests run containers and look into them: run them as root", 1)
    if not IMAGE.exists():
        pytest.exit(f"{IMAGE} is missing: tests/image/build.sh makes it", 1)
    for tool in ("podman", "runc", "nsenter"):
        if shutil.which(tool) is None:
            pytest.exit(f"{tool} is missing; on Debian: apt-get install podman runc util-linux", 1)


@pytest.fixture(scope="session", name="archive")
def fixture_archive():
    return Archive(IMAGE)


@pytest.fixture(scope="session", name="engine")
def fixture_engine():
    with Engine(IMAGE) as engine:
        yield engine


@pytest.fixture(scope="session", name="shared_box")
def fixture_shared_box():
    with client.Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(name="box")
def fixture_box(shared_box):
    """A sandbox in which nothing has happened yet."""
    shared_box.heal()
    shared_box.set_wan("198.20.0.7")
    for zone in shared_box.call("GET", "/zones"):
        shared_box.call("DELETE", f"/zones/{zone}")
    shared_box.call("PUT", "/zones/example.com", "")
    shared_box.clear_log()
    return shared_box


@pytest.fixture(name="run")
def fixture_run(engine, box):
    """run(option, ..., config={...}) starts a container against the sandbox."""
    containers = []

    def run(*options, config=None, **how):
        container = Container(engine, esddns.config_for(box, **(config or {})), options, **how)
        containers.append(container)
        return container.start()

    yield run
    failures = []
    for container in reversed(containers):
        try:
            container.finish()
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)


@pytest.fixture(scope="session", name="figures")
def fixture_figures():
    """Lines that are shown in the end, whatever came out."""
    return FIGURES


def pytest_terminal_summary(terminalreporter):
    if FIGURES:
        terminalreporter.section("figures")
        for line in FIGURES:
            terminalreporter.line(line)
