"""deploy.sh brings it up; what is there then; a second time changes nothing."""

import re

from deployment import SERVICE
from internet import GANDI, NAME, ZONE
from realcluster import NAMESPACE, NODES

READY_LIMIT = 180       # seconds; 60 are the goal, on a machine that does nothing else
# What an apply may touch, and what only the programs and people write.
KINDS = ("daemonsets", "deployments", "services", "configmaps", "secrets", "serviceaccounts",
         "leases")
SHARED = ("/api/v1/namespaces/esddns",
          "/apis/rbac.authorization.k8s.io/v1/clusterroles/esddns-operator",
          "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/esddns-operator",
          "/apis/rbac.authorization.k8s.io/v1/namespaces/esddns/roles",
          "/apis/rbac.authorization.k8s.io/v1/namespaces/esddns/rolebindings")


def test_it_is_ready_within_a_minute(deployed, figure):
    """deploy.sh says so, and it is so; the record was written once."""
    deployment, output, seconds, writes = deployed
    figure(f"deploy.sh production --yes, to all pods ready: {seconds:.1f} s")
    assert seconds < READY_LIMIT, output
    assert all(pod.ready for pod in deployment.pods()), output
    assert deployment.token not in output
    assert [(w["method"], w["status"]) for w in writes] == [("PUT", 201)], writes


def test_one_leads_and_all_agree(esddns):
    assert [p.node for p in esddns.operators()] == list(NODES)
    leader = esddns.leader()
    assert leader.node == esddns.holder()
    state = leader.state()
    assert state["wan"]["ipv4"]["agreed"] == 5, state["wan"]["ipv4"]["votes"]


def test_the_service_shows_the_page_and_raw(esddns):
    pods = esddns.service_pods()
    assert pods
    for pod in pods:
        raw = pod.ask("/raw")
        assert raw.status == 200 and raw.headers["Content-Type"] == "application/json"
        assert raw.text.endswith("}\n") and raw.text.count("\n") == 1
        body = raw.json
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", body.pop("poll_date"))
        href = body["record_state"]["record_data"].pop("rrset_href")
        assert f"/v5/livedns/domains/{ZONE}/records/" in href and GANDI in href
        assert body == {
            "record_state": {"in_sync": True, "record_data": {
                "rrset_name": NAME, "rrset_ttl": 300, "rrset_type": "A",
                "rrset_values": [esddns.internet.wan]}},
            "wan_ip_state": {"IP": esddns.internet.wan, "usable": True}}
        page = pod.ask("/")
        assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
        assert "<title>ESDDNS" in page.text and esddns.internet.wan in page.text


def objects(esddns):
    """{name: (uid, resourceVersion)} of all that an apply could change, but what programs do."""
    found = {}
    for kind in KINDS:
        for item in esddns.cluster.get(kind):
            found[kind, item["metadata"]["name"]] = item
    for path in SHARED:
        answer = esddns.cluster.call("GET", path)
        for item in answer.get("items", [answer]):
            found[path, item["metadata"]["name"]] = item
    own = {key: found.pop(key) for key in (("configmaps", "esddns-wan-ip"),
                                           ("leases", "esddns-leader"))}
    return own, {key: (item["metadata"]["uid"], item["metadata"]["resourceVersion"])
                 for key, item in found.items()}


def test_applying_twice_changes_nothing(esddns):
    own, others = objects(esddns)
    pods = {pod.uid: pod.restarts for pod in esddns.pods()}
    assert ("secrets", "esddns-gandi-credentials") in others and \
        ("secrets", "esddns-peer-key") in others
    esddns.deploy()
    text = esddns.cluster.kubectl("apply", "-f", esddns.manifest)
    assert all(line.endswith(" unchanged") for line in text.splitlines()), text
    own_after, others_after = objects(esddns)
    assert others_after == others
    assert {pod.uid: pod.restarts for pod in esddns.pods()} == pods
    for key, item in own.items():
        after = own_after[key]
        assert after["metadata"]["uid"] == item["metadata"]["uid"], key
        writers = {f["manager"] for f in after["metadata"]["managedFields"]}
        assert not any("kubectl" in writer for writer in writers), writers
    wan, wan_after = (o["configmaps", "esddns-wan-ip"]["data"] for o in (own, own_after))
    for field in ("current_ip", "detected_at", "epoch", "holder"):
        assert wan[field] == wan_after[field], field
    lease, lease_after = (o["leases", "esddns-leader"]["spec"] for o in (own, own_after))
    for field in ("holderIdentity", "leaseTransitions"):
        assert lease[field] == lease_after[field], field


def test_no_kustomization_holds_a_secret_or_what_the_programs_own(esddns):
    text = esddns.manifest.read_text()
    assert "kind: Secret" not in text and "kind: Lease" not in text
    assert not re.search(r"name: esddns-(wan-ip|leader)$", text, re.M)
    assert text.count(f"namespace: {NAMESPACE}") > 5 and SERVICE in text
    assert esddns.token not in text
