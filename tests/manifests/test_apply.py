"""What a real API server makes of it: applied, again, changed, deleted."""

import pytest

from controlplane import Refused
from manifests import (COMBINATIONS, DAEMONSET, DEPLOYMENT, K8S, NAMESPACE, OVERLAYS, combination,
                       customise, find, parse, pod_of, set_data)
from test_confinement import broken
from waiting import wait_for

LIMIT = 60
WAN, LEASE, SECRET = "esddns-wan-ip", "esddns-leader", "esddns-gandi-credentials"
CORE, APPS = "/api/v1", "/apis/apps/v1"
IN_NAMESPACE = f"/namespaces/{NAMESPACE}"
# What the programs and the user put there: data that no apply may touch.
OTHERS = (
    (f"{CORE}{IN_NAMESPACE}/configmaps", "ConfigMap", "v1", WAN,
     {"data": {"current_ip": "198.20.0.7", "epoch": "7"}}),
    (f"/apis/coordination.k8s.io/v1{IN_NAMESPACE}/leases", "Lease", "coordination.k8s.io/v1", LEASE,
     {"spec": {"holderIdentity": "node1_x", "leaseTransitions": 7}}),
    (f"{CORE}{IN_NAMESPACE}/secrets", "Secret", "v1", SECRET, {"data": {"api-key": "dG9rZW4="}}),
)


def apply(plane, text):
    """What kubectl says of each object: a mapping from its kind and name."""
    said = plane.kubectl("apply", "-f", "-", text=text)
    lines = [line.rpartition(" ") for line in said.splitlines()]
    assert len(lines) == len(parse(text)), said
    return {name: verdict for name, _, verdict in lines}


def gone(plane, path):
    try:
        plane.call("GET", path)
    except Refused as refused:
        assert refused.status == 404
        return True
    return False


def listable(plane):
    """The path of each kind of object that the API server lists."""
    groups = ["/api/v1"] + [f"/apis/{g['preferredVersion']['groupVersion']}"
                            for g in plane.call("GET", "/apis")["groups"]]
    return [f"{group}/{kind['name']}" for group in groups
            for kind in plane.call("GET", group)["resources"] if "list" in kind["verbs"]]


def remains(plane):
    """What of ESDDNS the API server still has, of all kinds that it knows."""
    return [f"{path}/{item['metadata']['name']}" for path in listable(plane)
            for item in plane.call("GET", path)["items"]
            if "esddns" in item["metadata"]["name"] + item["metadata"].get("namespace", "")]


def stored(plane):
    """The objects that are not in any kustomization, as they are."""
    return [plane.call("GET", f"{path}/{name}") for path, _, _, name, _ in OTHERS]


def generations(plane):
    return {name: plane.call("GET", f"{APPS}{IN_NAMESPACE}/{kind}/{name}")["metadata"]["generation"]
            for kind, name in (("daemonsets", DAEMONSET), ("deployments", DEPLOYMENT))}


@pytest.fixture(name="production")
def fixture_production(plane):
    """The production overlay, applied, with all that the programs and a user put beside it."""
    text = combination("production")
    apply(plane, text)
    for path, kind, version, name, content in OTHERS:
        if gone(plane, f"{path}/{name}"):
            plane.call("POST", path, {"apiVersion": version, "kind": kind,
                                      "metadata": {"name": name}, **content})
    return text


@pytest.mark.parametrize("overlay, components", COMBINATIONS,
                         ids=lambda p: p if isinstance(p, str) else "+".join(p) or "plain")
def test_the_server_takes_every_field(plane, overlay, components):
    """kubectl validates against the server's own schema: an unknown field is an error."""
    text = combination(overlay, components)
    assert set(apply(plane, text).values()) <= {"created", "configured", "unchanged"}
    again = apply(plane, text)
    assert set(again.values()) == {"unchanged"}, again


def test_applied_twice_nothing_changes(plane, production):
    before, generation = stored(plane), generations(plane)
    said = apply(plane, production)
    assert set(said.values()) == {"unchanged"}, said
    assert stored(plane) == before and generations(plane) == generation


def test_a_change_of_a_setting_replaces_the_pods_that_it_is_for(plane, production):
    settings = find(parse(production), "ConfigMap", "esddns-config")["data"]
    kinds = {DAEMONSET: "daemonset.apps", DEPLOYMENT: "deployment.apps"}
    before, others = generations(plane), stored(plane)
    for values, changed in (
            ({"record_ttl": "900"}, {DAEMONSET, DEPLOYMENT}),
            ({"target_domain": "esddns.test"}, {DAEMONSET, DEPLOYMENT}),
            ({"log_level": "debug"}, {DAEMONSET, DEPLOYMENT}),
            ({"esddns.yaml": settings["esddns.yaml"] + "detector: {tripwire: 5s}\n"}, {DAEMONSET}),
            ({"esddns-service.yaml": settings["esddns-service.yaml"] + "# more\n"}, {DEPLOYMENT})):
        said = apply(plane, customise(K8S, "production", patches=[set_data(**values)]))
        assert {name for name, verdict in said.items() if verdict != "unchanged"} == \
            {"configmap/esddns-config", *(f"{kinds[name]}/{name}" for name in changed)}, values
        after = generations(plane)
        assert {name for name in after if after[name] != before[name]} == changed, values
        apply(plane, production)
        before = generations(plane)
    assert stored(plane) == others


def test_a_restart_by_hand_outlives_an_apply(plane, production):
    """kubectl edit configmap, then kubectl rollout restart: nothing of it is put back by force."""
    for workload in (f"daemonset/{DAEMONSET}", f"deployment/{DEPLOYMENT}"):
        plane.kubectl("rollout", "restart", workload)
    generation = generations(plane)
    said = apply(plane, production)
    assert set(said.values()) == {"unchanged"}, said
    assert generations(plane) == generation


def test_one_overlay_after_the_other(plane, production):
    """They are two ways to set the same objects, not two installations."""
    assert set(apply(plane, combination("development")).values()) == {"configured", "unchanged"}
    stays = stored(plane)
    assert set(apply(plane, production).values()) == {"configured", "unchanged"}
    assert stored(plane) == stays


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_stored_pods_are_as_confined_as_the_written_ones(plane, overlay):
    """What the API server fills in opens nothing: a port of the host's, say."""
    apply(plane, combination(overlay))
    for kind, name, above in (("daemonsets", DAEMONSET, {"hostNetwork"}),
                              ("deployments", DEPLOYMENT, set())):
        workload = plane.call("GET", f"{APPS}{IN_NAMESPACE}/{kind}/{name}")
        assert broken(pod_of(workload)) == above, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_delete_leaves_nothing_behind_and_it_can_begin_anew(plane, production, overlay):
    """What users and programs added goes with the namespace."""
    assert len(stored(plane)) == len(OTHERS) and production
    text = combination(overlay, ("network-policy",))
    apply(plane, text)
    assert len(remains(plane)) >= len(parse(text)) + len(OTHERS)
    plane.kubectl("delete", "--wait=false", "-f", "-", text=text)
    wait_for(lambda: not remains(plane), "nothing is left", LIMIT, lambda: str(remains(plane)))
    assert set(apply(plane, text).values()) == {"created"}
