"""The API server gone, and what people or accidents do to the two objects."""

import json
import time

import pytest

from cluster import NEW4, WAN4
from waiting import wait_for

MAP, LEASE = "esddns-wan-ip", "esddns-leader"


def leader_of(cluster):
    return cluster.wait_leader([i for i in cluster.all if i.running()])


def assert_all_is_well(cluster, address, puts):
    """A change after what happened takes its usual way."""
    cluster.box.set_wan(address)
    leader_of(cluster).detect()
    cluster.wait_record(address)
    for instance in cluster.all:
        instance.wait_shows(address)
        instance.wait_in_sync()
        assert instance.restarts() == 0
    assert cluster.puts() == puts


def test_the_api_server_is_gone_while_the_address_changes(cluster, three, plane, box):
    first = three[0]
    pids = [i.units() for i in three]
    plane.stop_apiserver()
    try:
        first.wait_state(lambda s: s["leader"]["role"] == "standby", "the leader has stepped down")
        box.set_wan(NEW4)
        for instance in three:
            instance.detect()
            state = instance.state()
            assert state["wan"]["ipv4"]["address"] == WAN4      # with its age
            assert state["wan"]["ipv4"]["confirmed_age_ms"] > 0
            assert instance.ask("/healthz").status == 200
        reason = first.wait_state(lambda s: s["leader"]["reason"], "it says why")["leader"]
        assert "API server" in reason["reason"] or "Lease" in reason["reason"]
        assert cluster.puts() == 1 and cluster.record() == [WAN4]
    finally:
        plane.start_apiserver()
    started = time.monotonic()
    cluster.wait_record(NEW4)
    print(f"right {time.monotonic() - started:.1f} s after the API server is ready")
    for instance in three:
        instance.wait_shows(NEW4, 60)
        instance.wait_in_sync(60)
    print(f"all show it {time.monotonic() - started:.1f} s after the API server is ready")
    assert [i.units() for i in three] == pids
    assert cluster.puts() == 2


def test_the_configmap_is_deleted(cluster, three, plane):
    before = plane.get("configmaps", MAP)
    plane.delete("configmaps", MAP)
    # the leader sees it when it writes next
    leader_of(cluster).detect()
    made = wait_for(lambda: plane.get("configmaps", MAP), "it is made again",
                    evidence=cluster.evidence)
    assert made["metadata"]["uid"] != before["metadata"]["uid"]
    wait_for(lambda: plane.wan()["current_ip"] == WAN4, "with the known address",
             evidence=cluster.evidence)
    for instance in three:
        instance.wait_state(lambda s: s["wan"]["uid"] == made["metadata"]["uid"] and
                            s["wan"]["ipv4"]["address"] == WAN4, "it follows the new one")
    assert_all_is_well(cluster, NEW4, 2)


def test_the_lease_is_deleted(cluster, three, plane):
    epoch = int(plane.wan()["epoch"])
    plane.delete("leases", LEASE)
    wait_for(plane.lease, "it is made again", evidence=cluster.evidence)
    wait_for(lambda: int(plane.wan()["epoch"]) == plane.lease()["leaseTransitions"],
             "its holder has claimed the ConfigMap", evidence=cluster.evidence)
    assert int(plane.wan()["epoch"]) >= epoch
    assert_all_is_well(cluster, NEW4, 2)


def spoil(plane, **data):
    plane.patch("configmaps", MAP, {"data": data})


def test_the_configmap_is_edited_by_hand(cluster, three, plane, box):
    """One after the other; each is repaired, and no older address comes back."""
    puts = 1
    edits = [{"epoch": "2147483647"}, {"epoch": "x", "sequence": "-3"}, {"epoch": "9999"},
             {"holder": "somebody"}, {"sequence": "1"}, {"current_ip": "203.0.113.66"},
             {"current_ip": "gar\u00a0bage", "votes": "{", "followers": "many"},
             {"record.example.com.A": "{\"wanted\":"}, {"publisher": "tcp://203.0.113.66:9"},
             {"detected_at": "yesterday", "timestamp": "0"}]
    addresses = {WAN4}
    for edit in edits:
        address = cluster.next_address()
        addresses.add(address)
        spoil(plane, **edit)
        puts += 1
        assert_all_is_well(cluster, address, puts)
        data = plane.wan()
        assert data["current_ip"] == address, data
        assert 0 < int(data["epoch"]) < 2 ** 30 and int(data["sequence"]) > 0, (edit, data)
        assert data["holder"].startswith("node"), (edit, data)
        assert json.loads(data["record.example.com.A"])["wanted"] == address
    bodies = [json.loads(e["body"]) for e in box.log("gandi") if e["method"] == "PUT"]
    assert {v for b in bodies for v in b["rrset_values"]} <= addresses


def test_the_configmap_is_immutable(cluster, three, plane):
    plane.patch("configmaps", MAP, {"immutable": True})
    assert_all_is_well(cluster, NEW4, 2)
    assert not plane.get("configmaps", MAP).get("immutable")


@pytest.mark.parametrize("kind, name", [("leases", LEASE), ("configmaps", MAP)])
def test_an_object_that_somebody_else_made_first(cluster, plane, kind, name):
    """Empty, or with what is no record of an election in it."""
    body = {"metadata": {"name": name, "labels": {"made-by": "somebody"}}}
    if kind == "leases":
        body |= {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {}}
    else:
        body |= {"apiVersion": "v1", "kind": "ConfigMap", "data": {"other": "key"}}
    plane.create(kind, body)
    cluster.start(1).wait_in_sync()
    found = plane.get(kind, name)
    assert found["metadata"]["labels"] == {"made-by": "somebody"}       # unknown fields survive
    if kind == "configmaps":
        assert found["data"]["other"] == "key"
