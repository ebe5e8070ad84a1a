"""Fixtures of the tests on a real cluster: one cluster and one deployment for all of them."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / name) for name in
                             ("cluster", "integration", "sandbox"))]

import realcluster  # noqa: E402
from controlplane import Missing  # noqa: E402
from deployment import Deployment  # noqa: E402
from internet import Internet  # noqa: E402

BUILD_SECONDS = 900
FIGURES = pytest.StashKey()
EVIDENCE = pytest.StashKey()


def pytest_configure(config):
    config.stash[FIGURES] = []
    # whoever ends the tests by SIGTERM has the cluster taken down, as by Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter, config):
    """What was measured: printed, never asserted."""
    for figure in config.stash[FIGURES]:
        terminalreporter.write_line(f"  {figure}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure shows what the cluster looked like at that moment."""
    report = (yield).get_result()
    look = item.config.stash.get(EVIDENCE, None)
    if report.failed and look is not None:
        report.sections.append(("the cluster", look()))


@pytest.fixture(scope="session", name="figure")
def fixture_figure(pytestconfig):
    """figure(text) tells a measurement at the end."""
    return pytestconfig.stash[FIGURES].append


def image():
    """The archive of the image: ESDDNS_IMAGE, or built now from the clone."""
    named = os.environ.get("ESDDNS_IMAGE")
    if named:
        if not os.path.exists(named):
            pytest.exit(f"ESDDNS_IMAGE names {named}, which does not exist", 1)
        return named
    build = realcluster.ROOT / "tests" / "image" / "build.sh"
    result = subprocess.run(["sh", str(build)], check=False, timeout=BUILD_SECONDS, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    if result.returncode:
        pytest.exit(f"the image cannot be built:\n{result.stdout}", 1)
    return str(realcluster.ROOT / "build" / "image" / "esddns.tar")


@pytest.fixture(scope="session", name="cluster")
def fixture_cluster(figure):
    """Three nodes with the image on them."""
    try:
        cluster = realcluster.RealCluster()
        archive = image()
        started = time.monotonic()
        with cluster:
            cluster.tool("load", archive)
            figure(f"three nodes with the image: after {time.monotonic() - started:.0f} s")
            yield cluster
    except Missing as missing:
        pytest.exit(str(missing), 1)


@pytest.fixture(scope="session", name="internet")
def fixture_internet(cluster, tmp_path_factory):
    with Internet(cluster, tmp_path_factory.mktemp("internet")) as internet:
        yield internet


@pytest.fixture(scope="session", name="deployed")
def fixture_deployed(cluster, internet, tmp_path_factory, pytestconfig):
    """(deployment, what deploy.sh said, seconds until it was done, writes to the provider)"""
    deployment = Deployment(cluster, internet, tmp_path_factory.mktemp("user"))
    pytestconfig.stash[EVIDENCE] = deployment.evidence
    output, seconds = deployment.deploy()
    deployment.wait_healthy()
    return deployment, output, seconds, internet.writes()


@pytest.fixture(name="esddns")
def fixture_esddns(deployed):
    """The deployment, in which all is well before the test and has to be after it."""
    deployment = deployed[0]
    deployment.wait_healthy()
    yield deployment
    deployment.wait_healthy()
