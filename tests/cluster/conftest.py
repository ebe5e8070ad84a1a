"""Fixtures of the tests against a real control plane."""

import contextlib
import os
import pathlib
import secrets
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parent / "sandbox")]

import client  # noqa: E402
import controlplane  # noqa: E402
import esddns  # noqa: E402
from cluster import WAN4, Cluster  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def fixture_build():
    """The build under test must be there: nothing is skipped."""
    if "ESDDNS_BUILD" not in os.environ:
        pytest.exit("ESDDNS_BUILD must name the directory with the built programs", 1)
    for program in esddns.PROGRAMS:
        if not os.access(f"{esddns.BUILD}/{program}", os.X_OK):
            pytest.exit(f"{esddns.BUILD}/{program} is missing: build it first", 1)


@pytest.fixture(scope="session", name="shared_plane")
def fixture_shared_plane():
    try:
        plane = controlplane.ControlPlane()
    except controlplane.Missing as missing:
        pytest.exit(str(missing), 1)
    with plane:
        yield plane


@pytest.fixture(name="plane")
def fixture_plane(shared_plane):
    """A control plane in which ESDDNS has never run, with its rights."""
    shared_plane.clean()
    return shared_plane


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
    for zone in box.call("GET", "/zones"):
        box.call("DELETE", f"/zones/{zone}")
    box.call("PUT", "/zones/example.com", "")
    box.clear_log()
    return box


@pytest.fixture(scope="session", name="peer_key")
def fixture_peer_key(tmp_path_factory):
    """What the Secret esddns-peer-key holds."""
    file = tmp_path_factory.mktemp("peer") / "key"
    file.write_text(secrets.token_hex(32))
    return file


@contextlib.contextmanager
def clustering(plane, box, peer_key):
    cluster = Cluster(plane, box, peer_key)
    try:
        yield cluster
    finally:
        cluster.finish()


@pytest.fixture(name="cluster")
def fixture_cluster(plane, box, peer_key):
    with clustering(plane, box, peer_key) as cluster:
        yield cluster


@pytest.fixture(name="three")
def fixture_three(cluster):
    """Three instances in sync, of which the first leads."""
    return cluster.start_three()
