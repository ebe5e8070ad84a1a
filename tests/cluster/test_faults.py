"""What the fault proxy does to one instance: nothing is lost, nothing is done twice."""

import pytest

from cluster import WAN4, Cluster
from conftest import clustering
from faultproxy import (Answer, Delay, Drip, HangUp, LoseReply, Truncate)
from waiting import stays, wait_for

LEASE, MAP = "/leases", "/configmaps"
ONE_MAP = "/configmaps/esddns-wan-ip"
GONE = "too old resource version: 1 (2)"


@pytest.fixture(scope="module", name="steady")
def fixture_steady(shared_plane, shared_box, peer_key):
    """Three that all of these tests use; the first leads, and must go on leading."""
    shared_plane.clean()
    shared_box.heal()
    shared_box.set_wan(WAN4)
    shared_box.clear_log()
    shared_box.call("DELETE", "/zones/example.com")
    shared_box.call("PUT", "/zones/example.com", "")
    with clustering(shared_plane, shared_box, peer_key) as cluster:
        cluster.start_three()
        yield cluster


def by(agent):
    return lambda request: request.agent == f"esddns-{agent}"


# at: 0 is the leader, 1 a follower. Each: (at, method, what, agent or None, fault, times)
DURING_A_CHANGE = {
    "commit-reply-lost": (0, "PATCH", ONE_MAP, "detector", LoseReply(), 1),
    "commit-hung-up": (0, "PATCH", ONE_MAP, "detector", HangUp(), 1),
    "commit-conflict": (0, "PATCH", ONE_MAP, "detector", Answer(409), 1),
    "commit-invalid": (0, "PATCH", ONE_MAP, "detector", Answer(422), 1),
    "commit-throttled": (0, "PATCH", ONE_MAP, "detector", Answer(429, {"Retry-After": "1"}), 1),
    "commit-failed": (0, "PATCH", ONE_MAP, "detector", Answer(500), 2),
    "commit-answer-cut": (0, "PATCH", ONE_MAP, "detector", Truncate(), 1),
    "commit-late": (0, "PATCH", ONE_MAP, "detector", Delay(1), 1),
    "claim-reply-lost": (0, "PATCH", ONE_MAP, "updater", LoseReply(), 1),
    "claim-conflict": (0, "PATCH", ONE_MAP, "updater", Answer(409), 1),
    "claim-failed": (0, "PATCH", ONE_MAP, "updater", Answer(500), 1),
    "read-before-write-hung-up": (0, "GET", ONE_MAP, "updater", HangUp(), 1),
    "read-before-write-failed": (0, "GET", ONE_MAP, "updater", Answer(500), 1),
    "read-before-write-cut": (0, "GET", ONE_MAP, "updater", Truncate(), 1),
}


def change(cluster, puts_more=1, limit=40):
    """To a new address: shown by all, written once."""
    address = cluster.next_address()
    puts = cluster.puts()
    cluster.box.set_wan(address)
    cluster.all[0].detect()
    cluster.wait_record(address, limit)
    for instance in cluster.all:
        instance.wait_shows(address, limit)
        instance.wait_in_sync(limit)
        assert instance.restarts() == 0
    assert cluster.puts() == puts + puts_more


@pytest.mark.parametrize("name", DURING_A_CHANGE)
def test_a_fault_during_a_change(steady: Cluster, name):
    at, method, what, agent, fault, times = DURING_A_CHANGE[name]
    instance = steady.all[at]
    epoch = steady.plane.wan()["epoch"]
    rule = instance.proxy.add(method, what, fault, times=times, where=agent and by(agent))
    try:
        change(steady)
        assert rule.hits >= 1
        assert steady.leaders() == [steady.all[0]] and steady.plane.wan()["epoch"] == epoch
    finally:
        instance.proxy.heal()


# Of the Lease: (method, fault, times)
AT_A_RENEWAL = {
    "reply-lost": ("PUT", LoseReply(), 1), "conflict": ("PUT", Answer(409), 1),
    "failed": ("PUT", Answer(500), 2), "throttled": ("PUT", Answer(429, {"Retry-After": "1"}), 1),
    "hung-up": ("PUT", HangUp(), 2), "late": ("PUT", Delay(1), 2), "cut": ("PUT", Truncate(), 1),
}


@pytest.mark.parametrize("name", AT_A_RENEWAL)
def test_a_fault_at_a_renewal(steady, name):
    method, fault, times = AT_A_RENEWAL[name]
    leader = steady.all[0]
    epoch = steady.plane.wan()["epoch"]
    renewed = leader.proxy.count("PUT", LEASE, status=200)
    rule = leader.proxy.add(method, LEASE, fault, times=times)
    try:
        wait_for(lambda: rule.hits == times, "the fault", evidence=steady.evidence)
        wait_for(lambda: leader.proxy.count("PUT", LEASE, status=200) > renewed + 1,
                 "the Lease is renewed again", evidence=steady.evidence)
        assert steady.leaders() == [leader] and steady.plane.wan()["epoch"] == epoch
    finally:
        leader.proxy.heal()


# Of a follower's watch.
OF_A_WATCH = {
    "cut-in-an-event": Truncate(), "byte-wise": Drip(), "hung-up": HangUp(),
    "expired": Answer(410, message=GONE), "throttled": Answer(429, {"Retry-After": "1"}),
    "failed": Answer(500),
}


@pytest.mark.parametrize("name", OF_A_WATCH)
def test_a_fault_of_the_watch(steady, name):
    with steady.guest() as follower:
        rule = follower.proxy.add("GET", "watch=1", OF_A_WATCH[name], where=by("updater"))
        follower.start().wait_shows(steady.record()[0])
        wait_for(lambda: rule.hits == 1, "the watch", evidence=steady.evidence)
        change(steady)
        follower.wait_state(lambda s: s["cluster"]["current"], "the ConfigMap is watched again")


def test_expired_twice(steady):
    """410 of the watch, and of the list that follows it: then a list without a version."""
    with steady.guest() as follower:
        watch = follower.proxy.add("GET", "watch=1", Answer(410, message=GONE),
                                   where=by("updater"))
        lists = follower.proxy.add("GET", "fieldSelector=.*resourceVersion=", skip=1,
                                   fault=Answer(410, message=GONE), where=by("updater"))
        follower.start()
        wait_for(lambda: watch.hits and lists.hits, "both faults", evidence=steady.evidence)
        follower.wait_state(lambda s: s["cluster"]["current"], "the ConfigMap is watched again")
        change(steady)


def test_a_follower_that_hears_nothing_of_the_api_server(steady):
    """The peers' way goes on; and when the API server is back, the follower catches up."""
    with steady.guest() as follower:
        follower.start().wait_state(lambda s: s["cluster"]["connected"], "it hears the leader")
        follower.proxy.silence()
        address = steady.next_address()
        steady.box.set_wan(address)
        steady.all[0].detect()
        steady.wait_record(address)
        follower.wait_shows(address)
        follower.proxy.heal()
        follower.wait_in_sync()
        change(steady)


def test_a_follower_without_rights(steady):
    """403: said in a sentence; nothing ends, nothing is asked all the time; then it is cured."""
    with steady.guest() as follower:
        follower.proxy.add(None, "/", Answer(403, message="no rights"), times=None)
        follower.start()
        follower.wait_state(lambda s: "esddns-wan-ip" in s["cluster"]["reason"] and
                            "esddns-leader" in s["leader"]["reason"], "it says what is wrong")
        pids, asked = follower.units(), len(follower.proxy.requests)
        stays(lambda: len(follower.proxy.requests) < asked + 12, "it asks seldom", 3,
              steady.evidence)
        follower.proxy.heal()
        follower.wait_state(lambda s: s["cluster"]["current"], "it is cured")
        assert follower.units() == pids
        change(steady)


def test_a_leader_that_hears_nothing_of_the_api_server(steady):
    """Last: it steps down by its own clock, and another leads before long."""
    first, *others = steady.all
    puts = steady.puts()
    first.proxy.silence()
    first.wait_state(lambda s: s["leader"]["role"] == "standby", "it has stepped down")
    leader = steady.wait_leader(others)
    first.proxy.heal()
    wait_for(lambda: first.holder() == leader.node, "it sees who leads", evidence=steady.evidence)
    address = steady.next_address()
    steady.box.set_wan(address)
    leader.detect()
    steady.wait_record(address)
    for instance in steady.all:
        instance.wait_in_sync(60)
    assert steady.puts() == puts + 1
