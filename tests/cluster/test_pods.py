"""What belongs to the pod: its token, its Events, its Node; and the pod that only shows."""

import json
import os
import signal
import subprocess

import pytest

import esddns
from cluster import NEW4, WAN4
from faultproxy import Answer
from waiting import wait_for

MAP = "/configmaps/esddns-wan-ip"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


def make_pod(plane, instance):
    """The Pod that the instance stands for; its Events are shown by kubectl describe."""
    pod = plane.create("pods", {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": instance.pod},
        "spec": {"serviceAccountName": "esddns-operator", "automountServiceAccountToken": False,
                 "nodeName": instance.node, "containers": [{"name": "esddns", "image": "esddns"}]}})
    instance.environment["POD_UID"] = pod["metadata"]["uid"]


def reasons(plane, instance):
    return {e["reason"] for e in plane.get("events")
            if e["regarding"]["name"] == instance.pod and e["regarding"]["kind"] == "Pod"}


def test_events_tell_what_happened_on_the_own_pod(cluster, plane, box):
    one = cluster.start(1, start=False)
    make_pod(plane, one)
    one.start().wait_in_sync()
    wait_for(lambda: reasons(plane, one) >= {"LeaderElected", "AddressChanged", "RecordWritten"},
             "the Events", evidence=cluster.evidence)
    text = plane.kubectl("describe", "pod", one.pod)
    assert f"The WAN address is {WAN4}." in text and "This pod leads now (term 1)" in text, text
    box.call("PUT", "/gandi/forbid", {"methods": ["PUT"]})
    try:
        box.set_wan(NEW4)
        one.detect()
        one.wait_state(lambda s: s["records"][0]["state"] == "attention", "it needs a person")
        wait_for(lambda: "NeedsAttention" in reasons(plane, one), "the Event",
                 evidence=cluster.evidence)
    finally:
        box.call("PUT", "/gandi/forbid", {"methods": []})
    event = next(e for e in plane.get("events") if e["reason"] == "NeedsAttention")
    assert event["type"] == "Warning" and "403" in event["note"]
    assert event["reportingController"] == "esddns-updater"
    assert event["regarding"]["uid"] == one.environment["POD_UID"]


def run(instance, *words):
    """A program of the build, in the instance's surroundings; what it printed."""
    environment = os.environ | instance.environment | {"ESDDNS_LIBEXECDIR": esddns.BUILD}
    result = subprocess.run([f"{esddns.BUILD}/{words[0]}", *words[1:]], check=False, text=True,
                            env=environment, timeout=esddns.LIMIT, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_esddnsctl_in_a_pod(cluster):
    """status says who leads, also when that changes; probe asks the sources, as anywhere."""
    one, two = cluster.start(1), cluster.start(2)
    one.wait_in_sync()
    two.wait_in_sync()
    leader, other = (one, two) if one.leads() else (two, one)

    def status(instance):
        return run(instance, "esddnsctl", "-s", f"{instance.directory}/run/control.sock", "status")

    def says(instance, words):
        wait_for(lambda: words in status(instance), words, evidence=lambda: status(instance))

    says(other, f"standing by: {leader.node} leads")
    says(leader, "agreed by")
    assert "no record needs" not in status(other)
    for instance in (one, two):
        text = run(instance, "esddnsctl", "probe", "-c", str(instance.file))
        assert WAN4 in text, text
    leader.send(signal.SIGTERM)
    leader.wait()
    says(other, "agreed by")
    leader.start().wait_in_sync()
    says(leader, f"standing by: {other.node} leads")


def test_a_token_that_is_replaced(cluster, plane):
    """A new file before the old one ends is not even noticed; one that comes later cures."""
    one = cluster.start(1)
    one.wait_in_sync()
    old, new = one.token, plane.token("esddns-operator")
    one.write_token(new)
    refused = one.proxy.add(None, "/", Answer(401), times=None,
                            where=lambda r, old=old: r.token == old)
    wait_for(lambda: refused.hits, "the old token is used once more", evidence=cluster.evidence)
    wait_for(lambda: any(r.token == new and r.status == 200 for r in one.proxy.select("PUT")),
             "the Lease is renewed with the new one", evidence=cluster.evidence)
    assert one.leads() and plane.wan()["epoch"] == "1"
    pids = one.units()
    one.proxy.add(None, "/", Answer(401), times=None, where=lambda r: r.token == new)
    one.proxy.break_connections()
    state = one.wait_state(lambda s: s["leader"]["role"] == "standby" and s["leader"]["reason"],
                           "it has stepped down")
    assert "401" in state["leader"]["reason"], state["leader"]
    one.write_token(plane.token("esddns-operator"))
    one.wait_state(lambda s: s["leader"]["role"] == "leader", "it leads again")
    one.wait_in_sync()
    assert one.units() == pids


def test_a_reload_changes_nothing_of_who_leads(cluster, plane, box):
    """Settings of detector and updater change; what they follow and lead by stays."""
    one = cluster.start(1)
    one.wait_in_sync()
    pids = one.units()
    one.write_config(detector={"interval": "45s"}, updater={"interval": "40s"})
    one.send(signal.SIGHUP)
    one.wait_state(lambda s: s["settings"]["detector_interval_ms"] == 45000, "the new interval")
    wait_for(lambda: one.log_lines("configuration reloaded"), "the detector has it",
             evidence=cluster.evidence)
    box.set_wan(NEW4)
    one.detect()
    cluster.wait_record(NEW4)
    one.wait_in_sync()
    assert one.leads() and one.units() == pids and plane.wan()["epoch"] == "1"


def test_a_change_of_the_own_node_starts_a_round(cluster, plane, box):
    nodes = "/api/v1/nodes"
    plane.call("POST", nodes, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}})
    try:
        one = cluster.start(1, detector={"tripwire": 0})
        one.wait_in_sync()
        wait_for(lambda: one.proxy.count("GET", r"nodes\?.*watch=1", status=200),
                 "the Node is watched", evidence=cluster.evidence)
        assert all("metadata.name%3Dnode1" in r.target for r in one.proxy.select(None, "/nodes"))
        box.set_wan(NEW4)
        plane.call("PATCH", f"{nodes}/node1/status", {"status": {"addresses": [
            {"type": "InternalIP", "address": "192.0.2.77"}]}})
        cluster.wait_record(NEW4, 20)       # the next round by itself is 30 s away
    finally:
        plane.call("DELETE", f"{nodes}/node1")


def test_the_pod_that_only_shows(cluster, plane, box):
    """By a kubeconfig with the token of esddns-service; it has no key, no record's token."""
    service = plane.create("services", {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "esddns-service"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
    plane.call("PATCH", f"/api/v1/namespaces/esddns/services/{service['metadata']['name']}/status",
               {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.80"}]}}})
    first = cluster.start(1)
    first.wait_in_sync()
    shows = cluster.start(2, account="esddns-service", start=False, updater={"observe": True},
                          units={"detector": {"enabled": False}},
                          cluster={"peers": {"key_file": None}})
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "GANDI_API_KEY"):
        del shows.environment[name]
    file = shows.directory / "kubeconfig"
    file.write_text(plane.kubeconfig(shows.token, shows.proxy.port))
    shows.write_config(cluster={"kubeconfig": str(file)}, log={"format": "json"})
    shows.start()
    shows.wait_shows(WAN4)
    shows.wait_state(lambda s: s["records"][0]["in_sync"] and s["records"][0]["by"] == "node1",
                     "it shows the record, and who says so")
    box.set_wan(NEW4)
    first.detect()
    shows.wait_shows(NEW4)
    shows.wait_state(lambda s: s["records"][0]["in_sync"], "the new one is in sync")
    shows.wait_state(lambda s: s["cluster"]["balancer"] == "203.0.113.80", "the balancer")
    assert not shows.state()["cluster"]["balancer_pending"]
    assert "203.0.113.80" in shows.page().text
    assert shows.metric("esddns_loadbalancer_ip_info", ip_address="203.0.113.80") == 1
    assert shows.metric("esddns_loadbalancer_pending") == 0
    assert shows.ask("/readyz").status == 200
    # no detector is awaited where none is configured
    state = shows.state()
    assert state["verdict"]["level"] == "good", state["verdict"]
    assert [u["name"] for u in state["units"]] == ["updater", "webd"]
    with pytest.raises(KeyError):
        shows.metric("esddns_service_health", component="detector")
    assert not [r for method in WRITES for r in shows.proxy.select(method)]
    assert all(r.status in (200, None) for r in shows.proxy.select()), shows.proxy.requests
    assert cluster.leaders([first]) == [first]
    assert json.loads(plane.wan()["record.example.com.A"])["by"] == "node1"


def test_no_instance_asks_for_what_it_may_not(cluster, three, plane):
    """All that three instances asked for in an ordinary life was allowed, or absent."""
    cluster.box.set_wan(NEW4)
    three[0].detect()
    cluster.wait_record(NEW4)
    for instance in three:
        instance.wait_in_sync()
        assert not [r for r in instance.proxy.select() if r.status in (401, 403)]
        paths = {r.target.split("?")[0].rpartition("/")[0] for r in instance.proxy.select()}
        assert not any("secrets" in p or "default" in p for p in paths)
    assert plane.wan()["current_ip"] == NEW4


def test_a_load_balancer_that_has_no_address_yet_is_awaited(plane, cluster):
    """Each pod looks within ten seconds of its start, then every five minutes."""
    plane.create("services", {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "esddns-service"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
    one = cluster.start(1)
    one.wait_state(lambda s: s["cluster"] and s["cluster"]["balancer_pending"], "it is awaited")
    assert one.metric("esddns_loadbalancer_pending") == 1
    with pytest.raises(KeyError):
        one.metric("esddns_loadbalancer_ip_info")
