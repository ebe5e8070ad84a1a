"""The Pod Security Standard "restricted", rule by rule, of the pods as the API server stores them.

Each rule returns what is wrong, so that the exception of the nodes' pods is exact.
"""

import copy

import pytest

from manifests import DAEMONSET, DEPLOYMENT, combination, find, parse, pod_of

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
           "projected", "secret"}


def containers(pod):
    return [c for key in ("containers", "initContainers", "ephemeralContainers")
            for c in pod.get(key, [])]


def security(container, pod, key):
    """The container's own setting, else the pod's."""
    own = container.get("securityContext", {})
    return own.get(key, pod.get("securityContext", {}).get(key))


def host_ports(pod):
    # the API server fills in the host's port for pods of the host's network
    return [p for c in containers(pod) for p in c.get("ports", [])
            if p.get("hostPort") or pod.get("hostNetwork")]


def add_capabilities(container):
    capabilities = container.get("securityContext", {}).get("capabilities", {})
    return capabilities.get("drop") != ["ALL"] or \
        bool(set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"})


RULES = {
    "hostNetwork": lambda p: p.get("hostNetwork", False),
    "hostPID": lambda p: p.get("hostPID", False),
    "hostIPC": lambda p: p.get("hostIPC", False),
    "hostPorts": lambda p: bool(host_ports(p)),
    "hostProcess": lambda p: "windowsOptions" in str(p),
    "volume types": lambda p: any(not set(v) - {"name"} <= VOLUMES for v in p.get("volumes", [])),
    "privileged": lambda p: any(security(c, p, "privileged") for c in containers(p)),
    "capabilities": lambda p: any(add_capabilities(c) for c in containers(p)),
    "escalation": lambda p: any(security(c, {}, "allowPrivilegeEscalation") is not False
                                for c in containers(p)),
    "non-root": lambda p: any(security(c, p, "runAsNonRoot") is not True for c in containers(p)),
    "user": lambda p: any(not security(c, p, "runAsUser") for c in containers(p)),
    "seccomp": lambda p: any((security(c, p, "seccompProfile") or {}).get("type") not in
                             ("RuntimeDefault", "Localhost") for c in containers(p)),
    "seLinux, AppArmor, procMount, sysctls": lambda p: any(
        word in str(p) for word in ("seLinuxOptions", "appArmorProfile", "procMount", "sysctls")),
    # no rule of the standard's, but ours
    "writable root": lambda p: any(security(c, {}, "readOnlyRootFilesystem") is not True
                                   for c in containers(p)),
    "group": lambda p: any(not security(c, p, "runAsGroup") for c in containers(p)),
}


def broken(pod):
    return {name for name, rule in RULES.items() if rule(pod)}


@pytest.fixture(scope="module", name="objects", params=("development", "production"))
def fixture_objects(request):
    return parse(combination(request.param))


def test_the_pod_behind_the_service_is_restricted(objects):
    assert broken(pod_of(find(objects, "Deployment", DEPLOYMENT))) == set()


def test_the_nodes_pods_have_the_nodes_network_and_nothing_else(objects):
    assert broken(pod_of(find(objects, "DaemonSet", DAEMONSET))) == {"hostNetwork"}


def test_the_namespace_admits_them_and_warns_of_the_rest(objects):
    labels = find(objects, "Namespace", "esddns")["metadata"]["labels"]
    assert {k.rpartition("/")[2]: v for k, v in labels.items() if "pod-security" in k} == \
        {"enforce": "privileged", "audit": "restricted", "warn": "restricted"}


def change(*path, value):
    def spoil(pod):
        place = pod
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    return spoil


BOX = ("containers", 0, "securityContext")
SPOILED = {
    "hostNetwork": change("hostNetwork", value=True), "hostPID": change("hostPID", value=True),
    "hostIPC": change("hostIPC", value=True),
    "hostPorts": change("containers", 0, "ports", 0, "hostPort", value=8080),
    "hostProcess": change("securityContext", "windowsOptions", value={"hostProcess": True}),
    "volume types": change("volumes", 0, value={"name": "config", "hostPath": {"path": "/"}}),
    "privileged": change(*BOX, "privileged", value=True),
    "capabilities": change(*BOX, "capabilities", value={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
    "escalation": change(*BOX, "allowPrivilegeEscalation", value=True),
    "non-root": change("securityContext", "runAsNonRoot", value=False),
    "user": change(*BOX, "runAsUser", value=0),
    "seccomp": change("securityContext", "seccompProfile", value={"type": "Unconfined"}),
    "seLinux, AppArmor, procMount, sysctls": change(*BOX, "procMount", value="Unmasked"),
    "writable root": change(*BOX, "readOnlyRootFilesystem", value=False),
    "group": change(*BOX, "runAsGroup", value=0),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_its_breach(rule, objects):
    pod = copy.deepcopy(pod_of(find(objects, "Deployment", DEPLOYMENT)))
    SPOILED[rule](pod)
    assert rule in broken(pod)
