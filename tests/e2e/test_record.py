"""What changes and what fails while it runs: the record is right throughout.

An Observer watches the provider in each of these tests; at its end the record had only the expected
addresses, each by one PUT. Whatever replaces pods comes first: after an outage of the API server
the kubelets wait longer and longer before they ask it again.
"""

import contextlib
import time

import logread
from deployment import DAEMONSET, DEPLOYMENT, LIMIT
from internet import Observer
from realcluster import NAMESPACE
from visitor import Visitor
from waiting import wait_for

FOLLOW_LIMIT = 60       # seconds; 20 are promised, on a machine that does nothing else
RATE = 50               # requests a second
DEBUG, INFO = (f"s/^  log-level: .*/  log-level: {level}/" for level in ("debug", "info"))


def observed(esddns):
    return Observer(esddns.internet, esddns.cluster)


def test_the_record_follows_the_router(esddns, figure):
    with observed(esddns) as observer:
        address = observer.change_wan()
        seconds = observer.wait_followed(FOLLOW_LIMIT)
        shown = esddns.wait_all_show()
    figure(f"the record followed the router's new address after {seconds:.1f} s, all pods showed "
           f"it {shown:.1f} s later")
    assert esddns.wan_object()["data"]["current_ip"] == address
    assert esddns.reported()["in_sync"] and esddns.reported()["value"] == address


def test_a_rolling_restart_under_load(esddns, figure):
    """The configuration is edited before, as the README tells, and is in force after it."""
    before = {pod.name for pod in esddns.pods()}
    esddns.edit_configuration(DEBUG)
    with observed(esddns), Visitor(esddns.cluster, RATE) as visitor:
        started = time.monotonic()
        esddns.rollout_restart(DAEMONSET, DEPLOYMENT)
        esddns.rollout_status(DAEMONSET, DEPLOYMENT)
        esddns.wait_healthy()
        figure(f"a rolling restart of all pods: {time.monotonic() - started:.1f} s")
    esddns.edit_configuration(INFO)     # for the next restart, whenever that is
    assert not visitor.failures, (len(visitor.failures), visitor.failures[:10])
    assert not before & {pod.name for pod in esddns.pods()}
    assert len(visitor.pods) >= 2, "the requests met the old pod and the new one"
    rate = visitor.asked / visitor.seconds
    for pod in esddns.operators():
        assert any(e.level == "debug" for e in logread.parse(pod.log("--tail=-1"))[0]), pod
    figure(f"meanwhile {visitor.asked} requests at {rate:.0f} a second, none failed")
    assert rate > RATE / 2, f"only {rate:.0f} requests a second were made"


def test_the_secret_is_replaced(esddns):
    """As the README tells: delete, create, restart. The old token is revoked before."""
    kubectl = esddns.cluster.kubectl
    with observed(esddns) as observer:
        esddns.new_token()
        kubectl("delete", "secret", "esddns-gandi-credentials", "-n", NAMESPACE)
        kubectl("create", "secret", "generic", "esddns-gandi-credentials",
                f"--from-literal=api-key={esddns.token}", "-n", NAMESPACE)
        esddns.rollout_restart(DAEMONSET, DEPLOYMENT)
        esddns.rollout_status(DAEMONSET, DEPLOYMENT)
        esddns.wait_healthy()
        observer.change_wan()       # the new one is good for a write
        esddns.leader().ctl("detect")
        observer.wait_followed(FOLLOW_LIMIT)
        esddns.wait_all_show()


def test_the_leaders_pod_is_deleted(esddns, figure):
    leader = esddns.leader()
    with observed(esddns) as observer:
        started = time.monotonic()
        esddns.cluster.kubectl("delete", "pod", leader.name, "-n", NAMESPACE, "--wait=false")
        wait_for(lambda: esddns.holder() not in (leader.node, None), "another holds the Lease",
                 LIMIT)
        figure(f"the leader's pod deleted: another led after {time.monotonic() - started:.1f} s")
        observer.change_wan()
        esddns.wait_leader(but=leader.node).ctl("detect")
        observer.wait_followed(FOLLOW_LIMIT)
        esddns.wait_healthy()
    assert leader.name not in {pod.name for pod in esddns.pods()}


@contextlib.contextmanager
def stopped_apiserver(cluster):
    cluster.stop_apiserver()
    try:
        yield
    finally:
        cluster.start_apiserver()


def test_the_api_server_is_stopped_and_started(esddns, figure):
    """Meanwhile nobody leads and nobody writes, though there is a new address."""
    pods, restarts = esddns.pods(), esddns.restarts()
    with observed(esddns) as observer:
        with stopped_apiserver(esddns.cluster):
            wait_for(lambda: not any(p.leads() for p in pods), "nobody leads", LIMIT)
            address = observer.change_wan()
            for pod in pods:
                assert pod.ask("/healthz").status == 200
                assert pod.state()["wan"]["ipv4"]["address"] != address
            assert esddns.internet.record() != [address]
        started = time.monotonic()
        observer.wait_followed(LIMIT)
        figure(f"the API server was back: the record followed after "
               f"{time.monotonic() - started:.1f} s")
        esddns.wait_healthy()
    assert esddns.restarts() == restarts, "an outage of the API server restarts no pod"


@contextlib.contextmanager
def cut_off(cluster, node):
    cluster.cut(node)
    try:
        yield
    finally:
        cluster.heal(node)


def test_the_leaders_node_is_cut_off(esddns, figure):
    """Another takes over and follows the router; the one that was cut off changes nothing."""
    leader, restarts = esddns.leader(), esddns.restarts()
    with observed(esddns) as observer:
        with cut_off(esddns.cluster, leader.node):
            started = time.monotonic()
            wait_for(lambda: esddns.holder() not in (leader.node, None), "another holds the Lease",
                     LIMIT)
            seconds = time.monotonic() - started
            figure(f"the leader's node cut off: another led after {seconds:.1f} s")
            observer.change_wan()
            seconds = observer.wait_followed(FOLLOW_LIMIT)
            figure(f"the record followed the next address {seconds:.1f} s later")
            state = leader.state_on_its_node()
            assert state["leader"]["role"] != "leader", state["leader"]
            assert state["wan"]["ipv4"]["address"] != esddns.internet.wan
        esddns.wait_healthy()
        assert esddns.holder() != leader.node
    assert esddns.restarts() == restarts
