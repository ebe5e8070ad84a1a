"""A port of a node that another program has: DNS work goes on there, and the reason is shown."""

import contextlib
import json
import socket

import pytest

from deployment import LIMIT, METRICS, PAGE
from internet import Observer
from realcluster import NAMESPACE
from waiting import wait_for

FOLLOW_LIMIT = 60


@contextlib.contextmanager
def another_program(esddns, node, port):
    """It listens there on all addresses, and accepts nothing."""
    with esddns.cluster.node_space(node).entered():
        taken = socket.create_server(("0.0.0.0", port))
    with taken:
        yield


def unit(pod, name):
    """What esddnsctl says of it; its exit status says that not all is well."""
    state = json.loads(pod.ctl("status", "--json", check=False))
    return next(u for u in state["units"] if u["name"] == name)


def pod_now(esddns, name):
    return next(p for p in esddns.operators() if p.name == name)


@pytest.mark.parametrize("port", [METRICS, PAGE])
def test_a_taken_port_on_the_leaders_node(esddns, port):
    leader, restarts = esddns.leader(), esddns.restarts()
    leader.ctl("stop", "webd")
    with another_program(esddns, leader.node, port):
        leader.ctl("start", "webd", check=False)
        reason = f"cannot listen on {leader.address} port {port}: another program listens there"
        wait_for(lambda: reason in unit(leader, "webd")["status"], "the reason is in the status",
                 LIMIT)
        with Observer(esddns.internet, esddns.cluster) as observer:
            observer.change_wan()
            leader.ctl("detect")
            observer.wait_followed(FOLLOW_LIMIT)
        assert esddns.holder() == leader.node
        assert esddns.reported()["by"] == leader.node
        assert reason in leader.log("--tail=-1")
        if port == METRICS:         # the probe's, too
            wait_for(lambda: not pod_now(esddns, leader.name).ready, "the pod is not ready", LIMIT)
            wait_for(lambda: "Readiness probe failed" in esddns.cluster.kubectl(
                "describe", "pod", "-n", NAMESPACE, leader.name), "describe tells it", LIMIT)
    esddns.wait_healthy()
    assert esddns.restarts() == restarts, "a port that is taken restarts no container"
