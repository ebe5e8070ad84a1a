"""Fixtures of the tests of the page in a browser."""

import contextlib
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parent / "sandbox")]

import chromium  # noqa: E402
import client  # noqa: E402
import esddns  # noqa: E402
import gallery  # noqa: E402

WAN4, WAN6 = "198.20.0.7", "2001:200::7"
RECORDS = [{"zone": "example.com", "name": "@", "type": "A", "ttl": 300},
           {"zone": "example.com", "name": "@", "type": "AAAA", "ttl": 300},
           {"zone": "example.com", "name": "www", "type": "A", "ttl": 600}]


@pytest.fixture(scope="session", autouse=True)
def fixture_build():
    """The build under test must be there: nothing is skipped."""
    if "ESDDNS_BUILD" not in os.environ:
        pytest.exit("ESDDNS_BUILD must name the directory with the built programs", 1)
    for program in esddns.PROGRAMS:
        if not os.access(f"{esddns.BUILD}/{program}", os.X_OK):
            pytest.exit(f"{esddns.BUILD}/{program} is missing: build it first", 1)


@pytest.fixture(scope="session", name="browser")
def fixture_browser():
    try:
        browser = chromium.Chromium()
    except RuntimeError as error:
        pytest.exit(str(error), 1)
    with browser:
        yield browser


@pytest.fixture(scope="session", name="box")
def fixture_box():
    with client.Sandbox() as box:
        yield box


@contextlib.contextmanager
def running(box, **changes):
    """A system against the sandbox, its records in sync."""
    box.heal()
    box.set_wan(WAN4)
    box.set_wan(WAN6)
    system = esddns.System(esddns.config_for(box, records=RECORDS, **changes))
    try:
        system.start().wait_in_sync()
        yield system
    finally:
        system.finish()


@pytest.fixture(scope="session", name="steady")
def fixture_steady(box):
    """Shared, for tests that change nothing but the address."""
    with running(box) as system:
        yield system


@pytest.fixture(scope="session", name="states")
def fixture_states(steady):
    """The gallery; "quick" is webd's own page that reloads each second where scripts are off."""
    def quick(page):
        assert 'content="30"' in page
        return page.replace('content="30"', 'content="1"')

    with gallery.Gallery(steady.port, quick=quick) as states:
        yield states
