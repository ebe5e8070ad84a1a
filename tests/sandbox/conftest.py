"""The sandbox the tests share."""

import pytest

import client
from asking import WAN


@pytest.fixture(scope="session", name="running")
def fixture_running():
    with client.Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(name="box")
def fixture_box(running):
    """The running sandbox, as new."""
    running.heal()
    for host, address in WAN.items():
        running.set_wan(address)
    running.call("PUT", "/zones/example.com", "")
    running.call("PUT", "/gandi/token", {"bearer": "sandbox-token", "apikey": "sandbox-apikey"})
    running.call("PUT", "/gandi/forbid", {"methods": []})
    running.clear_log()
    return running
