"""Each overlay, with and without the components: what is in it, and that it fits together."""

import re

import pytest
import yaml

from manifests import (COMBINATIONS, DAEMONSET, DEPLOYMENT, K8S, NAMESPACE, OVERLAYS, ROOT,
                       SETTINGS, combination, container_of, customise, find, parse, pod_of,
                       set_data, volume, workloads)

VERSION = re.search(r"AC_INIT\(\[esddns\], \[([^]]*)\]", (ROOT / "configure.ac").read_text())[1]
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
# Deprecated by kustomize 5, or by its own documentation.
OLD_FIELDS = ("commonLabels", "bases", "patchesStrategicMerge", "patchesJson6902", "vars",
              "imageTags", "helmChartInflationGenerator")
KEYS = {"target-domain", "record-name", "record-ttl", "log-level", "esddns.yaml",
        "esddns-service.yaml"}
CONFIGURATION = {DAEMONSET: "esddns.yaml", DEPLOYMENT: "esddns-service.yaml"}


@pytest.fixture(name="objects", params=COMBINATIONS,
                ids=lambda c: "+".join((c[0], *c[1])))
def fixture_objects(request):
    return parse(combination(*request.param))


def test_one_namespace_and_nothing_that_is_not_ours_to_apply(objects):
    for o in objects:
        name, kind = o["metadata"]["name"], o["kind"]
        if kind in CLUSTER_WIDE:
            assert "namespace" not in o["metadata"]
        else:
            assert o["metadata"]["namespace"] == NAMESPACE, f"{kind}/{name}"
        assert kind not in ("Secret", "Lease"), f"{kind}/{name}"
        assert name not in ("esddns-wan-ip", "esddns-leader"), f"{kind}/{name}"
        assert o["metadata"]["labels"]["app.kubernetes.io/name"] == "esddns", f"{kind}/{name}"
    assert [o["metadata"]["name"] for o in objects if o["kind"] == "Namespace"] == [NAMESPACE]
    assert [o["metadata"]["name"] for o in objects if o["kind"] == "ConfigMap"] == [SETTINGS]
    ids = [(o["kind"], o["metadata"]["name"]) for o in objects]
    assert len(set(ids)) == len(ids)


def test_the_names_that_users_type(objects):
    for kind, name, app in (("DaemonSet", DAEMONSET, "esddns-operator"),
                            ("Deployment", DEPLOYMENT, "esddns-service")):
        workload = find(objects, kind, name)
        assert workload["spec"]["selector"] == {"matchLabels": {"app": app}}
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert labels["app"] == app and labels["app.kubernetes.io/name"] == "esddns"
        assert container_of(workload)["image"] == f"localhost/esddns:{VERSION}"
        assert container_of(workload)["imagePullPolicy"] == "IfNotPresent"
        assert "initContainers" not in pod_of(workload)
    assert len(workloads(objects)) == 2


def test_the_service_leads_to_its_pods(objects):
    service = find(objects, "Service", DEPLOYMENT)
    template = find(objects, "Deployment", DEPLOYMENT)["spec"]["template"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    ports = {p["name"]: p["containerPort"] for p in template["spec"]["containers"][0]["ports"]}
    assert ports == {"http": 51339, "metrics": 8080}
    # 443 would promise TLS, which nothing here speaks
    assert [(p["port"], p["targetPort"]) for p in service["spec"]["ports"]] == [(80, "http")]


def test_what_pods_refer_to_is_there(objects):
    accounts = {o["metadata"]["name"] for o in objects if o["kind"] == "ServiceAccount"}
    data = find(objects, "ConfigMap", SETTINGS)["data"]
    assert set(data) == KEYS
    for workload in workloads(objects):
        container = container_of(workload)
        assert pod_of(workload)["serviceAccountName"] in accounts
        for variable in container["env"]:
            reference = variable["valueFrom"].get("configMapKeyRef")
            assert reference is None or (reference["name"] == SETTINGS and
                                         reference["key"] in data), variable
        assert volume(workload, "/etc/esddns")["configMap"] == {"name": SETTINGS}
        assert "optional" not in volume(workload, "/etc/esddns")["configMap"]
        mounts = {m["name"] for m in container["volumeMounts"]}
        assert {v["name"] for v in pod_of(workload)["volumes"]} == mounts
        assert CONFIGURATION[workload["metadata"]["name"]] in \
            str(container.get("args", "/etc/esddns/esddns.yaml"))


def test_probes_ask_what_is_served(objects):
    for workload in workloads(objects):
        name, container = workload["metadata"]["name"], container_of(workload)
        assert container["livenessProbe"]["exec"] == {"command": ["esddnsctl", "ping"]}
        probe = container["readinessProbe"]["httpGet"]
        assert probe["path"] == "/readyz" and "host" not in probe
        ports = {p["name"]: p["containerPort"] for p in container.get("ports", [])}
        port = ports.get(probe["port"], probe["port"])
        served = yaml.safe_load(find(objects, "ConfigMap", SETTINGS)["data"][CONFIGURATION[name]])
        assert f"$(POD_IP):{port}" in served["webd"]["metrics"]
        assert "$(POD_IP):51339" in served["webd"]["listen"]
        assert all(e.split(":")[0] in ("$(POD_IP)", "127.0.0.1")
                   for e in served["webd"]["metrics"] + served["webd"]["listen"])


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


def test_an_end_has_the_time_it_takes(objects):
    data = find(objects, "ConfigMap", SETTINGS)["data"]
    # the supervisor stops within 8 s; a leader gives up after 10 s without a renewal
    for workload in workloads(objects):
        assert pod_of(workload)["terminationGracePeriodSeconds"] > 10
        assert pod_of(workload).get("restartPolicy", "Always") == "Always"
    service = yaml.safe_load(data["esddns-service.yaml"])
    assert seconds(service["webd"]["drain"]) == 5
    assert 5 < seconds(service["units"]["webd"]["TimeoutStopSec"]) <= 8
    strategy = find(objects, "Deployment", DEPLOYMENT)["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_the_nodes_pods_run_on_every_node(objects):
    pod = pod_of(find(objects, "DaemonSet", DAEMONSET))
    assert pod["tolerations"] == [{"operator": "Exists"}]
    # a port that is named is the host's: the scheduler would refuse a node where it is taken
    assert "ports" not in pod["containers"][0]
    assert pod["dnsPolicy"] == "Default"


def test_secrets_are_never_waited_for(objects):
    pod = pod_of(find(objects, "DaemonSet", DAEMONSET))
    secrets = {v["secret"]["secretName"]: v["secret"] for v in pod["volumes"] if "secret" in v}
    keys = {name: [i["key"] for i in s["items"]] for name, s in secrets.items()}
    assert keys == {"esddns-gandi-credentials": ["api-key"], "esddns-peer-key": ["key"]}
    # read by the pod's group, which is its own, and by nobody else
    assert all(s["optional"] and s["defaultMode"] == 0o440 for s in secrets.values())
    deployment = pod_of(find(objects, "Deployment", DEPLOYMENT))
    assert not [v for v in deployment["volumes"] if "secret" in v]
    for workload in workloads(objects):
        assert "secretKeyRef" not in str(workload) and "envFrom" not in container_of(workload)


def test_the_token_is_mounted_where_it_is_used(objects):
    for account in (o for o in objects if o["kind"] == "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    for workload in workloads(objects):
        assert pod_of(workload)["automountServiceAccountToken"] is False
        sources = volume(workload, "/var/run/secrets/kubernetes.io/serviceaccount")["projected"]
        token, authority, namespace = sources["sources"]
        assert token["serviceAccountToken"] == {"path": "token", "expirationSeconds": 3600}
        assert authority["configMap"]["name"] == "kube-root-ca.crt"
        assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_components_change_only_what_they_are_for(overlay):
    plain = parse(combination(overlay))
    for component, kind in (("nodeport", "Service"), ("metallb", "Service")):
        changed = parse(combination(overlay, (component,)))
        assert [o for o in changed if o not in plain] == [find(changed, kind, DEPLOYMENT)]
        assert len(changed) == len(plain)
    policy, = (o for o in parse(combination(overlay, ("network-policy",))) if o not in plain)
    assert policy["kind"] == "NetworkPolicy"
    labels = find(plain, "Deployment", DEPLOYMENT)["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert find(plain, "Service", DEPLOYMENT)["spec"]["type"] == "LoadBalancer"
    nodeport = find(parse(combination(overlay, ("nodeport",))), "Service", DEPLOYMENT)
    assert nodeport["spec"]["type"] == "NodePort"
    pooled = find(parse(combination(overlay, ("metallb",))), "Service", DEPLOYMENT)
    assert set(pooled["metadata"]["annotations"].values()) == {"esddns-pool"}


def test_overlays_differ_in_settings_and_resources_alone():
    ours, theirs = (parse(combination(o)) for o in OVERLAYS)
    assert [(o["kind"], o["metadata"]["name"]) for o in ours] == \
        [(o["kind"], o["metadata"]["name"]) for o in theirs]
    levels = [find(o, "ConfigMap", SETTINGS)["data"]["log-level"] for o in (ours, theirs)]
    assert levels == ["debug", "info"]
    for small, large in zip(workloads(ours), workloads(theirs)):
        for objects in (small, large):
            resources = container_of(objects).pop("resources")
            assert {"cpu", "memory"} == set(resources["limits"]) == set(resources["requests"])
            objects["spec"]["template"]["metadata"].pop("annotations")
        assert small == large


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_change_from_outside_reaches_settings_and_annotations(overlay):
    """As deploy.sh does it: another zone, TTL and image by a kustomization around the overlay."""
    text = customise(K8S, overlay, patches=[set_data(target_domain="esddns.test", record_ttl="900")],
                     images=[{"name": "localhost/esddns", "newName": "registry.test/esddns",
                              "newTag": "1.2.3"}])
    objects = parse(text)
    data = find(objects, "ConfigMap", SETTINGS)["data"]
    assert (data["target-domain"], data["record-ttl"]) == ("esddns.test", "900")
    for workload in workloads(objects):
        notes = workload["spec"]["template"]["metadata"]["annotations"]
        keys = KEYS - set(CONFIGURATION.values()) | {CONFIGURATION[workload["metadata"]["name"]]}
        assert notes == {f"esddns/{key}": data[key] for key in keys}
        assert container_of(workload)["image"] == "registry.test/esddns:1.2.3"


def test_no_kustomization_has_a_deprecated_field():
    files = [p for pattern in ("**/kustomization.yaml", "**/Kustomization") for p in
             K8S.glob(pattern)]
    assert len(files) >= 7
    for file in files:
        content = yaml.safe_load(file.read_text())
        assert not set(content) & set(OLD_FIELDS), file
        assert "namePrefix" not in content and "nameSuffix" not in content, file
        for label in content.get("labels", []):
            assert not label.get("includeSelectors", False), file


def test_the_example_has_the_secrets_that_pods_mount():
    examples = parse((K8S / "secrets.example.yaml").read_text())
    assert {(s["kind"], s["metadata"]["namespace"], s["metadata"]["name"], *s["stringData"])
            for s in examples} == {("Secret", NAMESPACE, "esddns-gandi-credentials", "api-key"),
                                   ("Secret", NAMESPACE, "esddns-peer-key", "key")}
