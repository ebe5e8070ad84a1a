"""Fixtures of the tests of the manifests."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / d) for d in ("cluster", "integration", "sandbox"))]

import controlplane  # noqa: E402
import esddns  # noqa: E402
import manifests  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def fixture_needs():
    """Nothing is skipped: what is missing is named."""
    if "ESDDNS_BUILD" not in os.environ:
        pytest.exit("ESDDNS_BUILD must name the directory with the built programs", 1)
    if os.geteuid() != 0:
        pytest.exit("these tests mount files where pods have them: run them as root", 1)
    if not os.access(f"{esddns.BUILD}/esddns", os.X_OK):
        pytest.exit(f"{esddns.BUILD}/esddns is missing: build it first", 1)
    try:
        manifests.kubectl()
    except manifests.Missing as missing:
        pytest.exit(str(missing), 1)


@pytest.fixture(scope="module", name="plane")
def fixture_plane():
    """A control plane with nothing of ESDDNS in it, which deletes what a namespace held."""
    try:
        plane = controlplane.ControlPlane(rights=False, controllers=("namespace",))
    except controlplane.Missing as missing:
        pytest.exit(str(missing), 1)
    with plane:
        yield plane
