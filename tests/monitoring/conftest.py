"""Fixtures of the tests of monitoring."""

import json
import os
import pathlib
import secrets
import shutil
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "cluster"), str(HERE.parent / "integration"),
                str(HERE.parent / "sandbox")]

import client  # noqa: E402
import esddns  # noqa: E402
import rulefile  # noqa: E402
import world  # noqa: E402
from cluster import WAN4  # noqa: E402
from controlplane import Missing  # noqa: E402
from fleet import Fleet  # noqa: E402
from operator_config import scrape_config, targets  # noqa: E402
from plane import Plane  # noqa: E402
from prometheus import Prometheus  # noqa: E402

EVERY = "500ms"     # between two scrapes and evaluations: 30 s, made HURRY times as short


@pytest.fixture(scope="session", autouse=True)
def fixture_there():
    """What is tested, and what tests it, must be there: nothing is skipped."""
    if "ESDDNS_BUILD" not in os.environ:
        pytest.exit("ESDDNS_BUILD must name the directory with the built programs", 1)
    for program in (*esddns.PROGRAMS, "esddnsctl"):
        if not os.access(f"{esddns.BUILD}/{program}", os.X_OK):
            pytest.exit(f"{esddns.BUILD}/{program} is missing: build it first", 1)
    for program in ("prometheus", "promtool"):
        if not shutil.which(program):
            pytest.exit(f"{program} is missing: apt-get install prometheus", 1)


@pytest.fixture(scope="session", name="plane")
def fixture_plane():
    try:
        plane = Plane()
    except Missing as missing:
        pytest.exit(str(missing), 1)
    with plane:
        yield plane


@pytest.fixture(scope="session", name="box")
def fixture_box():
    with client.Sandbox() as sandbox:
        sandbox.set_wan(WAN4)
        yield sandbox


@pytest.fixture(scope="session", name="fleet")
def fixture_fleet(plane, box, tmp_path_factory):
    """Running and healthy. Who breaks something in it puts it right again, or comes last."""
    key = tmp_path_factory.mktemp("peer") / "key"
    key.write_text(secrets.token_hex(32))
    fleet = Fleet(plane, box, key)
    try:
        yield fleet.start()
    finally:
        fleet.finish()


@pytest.fixture(scope="session", name="pods")
def fixture_pods(fleet):
    """What all of them said while they were healthy, for worlds."""
    return [world.Pod(fleet.labels(pod), one.metrics(), time.time())
            for pod, one in fleet.pods.items()]


@pytest.fixture(scope="session", name="found")
def fixture_found(fleet, tmp_path_factory):
    """A file of all targets that there are in the namespace."""
    found = tmp_path_factory.mktemp("targets") / "targets.json"
    found.write_text(json.dumps(targets(fleet.plane)))
    return found


@pytest.fixture(scope="session", name="prometheus")
def fixture_prometheus(fleet, pods, found):    # pylint: disable=unused-argument
    """It scrapes the fleet by what the API server has of k8s/monitoring."""
    plane = fleet.plane
    configs = [scrape_config(monitor, endpoint, found, fleet.places, EVERY)
               for monitor in plane.monitoring("servicemonitors")
               for endpoint in monitor["spec"]["endpoints"]]
    groups = plane.monitoring("prometheusrules", "esddns-alerts")["spec"]["groups"]
    with Prometheus(configs, lambda path: rulefile.write(path, groups), EVERY) as prometheus:
        yield prometheus
