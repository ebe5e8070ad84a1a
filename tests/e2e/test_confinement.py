"""What pods and service accounts may do: from the API server, and from the processes themselves."""

import os
import re
import stat

import processes
from controlplane import Refused
from realcluster import NAMESPACE

OWN = {"operator": {
    ("leases.coordination.k8s.io", ""): {"create"},
    ("leases.coordination.k8s.io", "esddns-leader"): {"get", "update"},
    ("configmaps", ""): {"create"},
    ("configmaps", "esddns-wan-ip"): {"get", "list", "watch", "update", "patch", "delete"},
    ("events.events.k8s.io", ""): {"create"},
    ("services", "esddns-service"): {"get"},
    ("nodes", ""): {"list", "watch"}}, "service": {
        ("configmaps", "esddns-wan-ip"): {"get", "list", "watch"},
        ("services", "esddns-service"): {"get"}}}
# What every account of every cluster may ask about itself.
ANYBODY = {("selfsubjectaccessreviews.authorization.k8s.io", ""),
           ("selfsubjectrulesreviews.authorization.k8s.io", "")}
ROW = re.compile(r"(\S*)\s+\[(.*?)\]\s+\[(.*?)\]\s+\[(.*?)\]")
# What a container's user may write: tmpfs for sockets, and what the runtime makes for all.
WRITABLE = {"/run", "/dev/shm", "/dev/mqueue", "/dev/termination-log"}


def account(name):
    return f"system:serviceaccount:{NAMESPACE}:esddns-{name}"


def rights(esddns, name):
    """{(resource, object's name): verbs} as kubectl lists them; paths that are no resources go."""
    text = esddns.cluster.kubectl("auth", "can-i", "--list", "-n", NAMESPACE, "--as", account(name))
    found = {}
    for line in text.splitlines()[1:]:
        resource, paths, names, verbs = ROW.fullmatch(line.rstrip()).groups()
        if paths:
            assert verbs == "get", line      # /healthz, /version, /api: public
            continue
        for one in names.split() or [""]:
            found.setdefault((resource, one), set()).update(verbs.split())
    return found


def test_the_accounts_may_do_what_they_need_and_no_more(esddns):
    for name, needed in OWN.items():
        found = rights(esddns, name)
        for resource in ANYBODY:
            assert found.pop(resource) == {"create"}
        assert found == needed, name


def test_no_account_reads_a_secret(esddns):
    """Not even the operator's: its pods have theirs as files."""
    for name in OWN:
        for words in (["get", "secrets"], ["get", "secret", "esddns-gandi-credentials"],
                      ["get", "secret", "esddns-peer-key"], ["get", "secrets", "-A"]):
            result = esddns.cluster.command("kubectl", *words, "-n", NAMESPACE, "--as",
                                            account(name), check=False)
            assert result.returncode == 1 and "Forbidden" in result.stderr, result
    service = esddns.service_pods()[0]
    mounted = [v for v in service.spec["volumes"] if "secret" in v or
               any("secret" in s for s in v.get("projected", {}).get("sources", []))]
    assert not mounted, mounted


def status_of(pid):
    return dict(line.split(":\t", 1) for line in
                processes.read(pid, "status").decode().splitlines() if ":\t" in line)


def may_write(pid, place, uid, groups):
    """By the owner and the mode of what is mounted there; a device is what it is everywhere."""
    found = os.stat(f"/proc/{pid}/root{place}")
    right = 0o200 if found.st_uid == uid else 0o020 if found.st_gid in groups else 0o002
    return bool(found.st_mode & right) and not stat.S_ISCHR(found.st_mode)


def check_process(pid, where):
    status = status_of(pid)
    name = f"{where}, {status['Name']}"
    for field in ("Uid", "Gid"):
        assert "0" not in status[field].split(), f"{name} runs as root: {status[field]}"
    assert "0" not in status["Groups"].split(), name
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[field], 16) == 0, f"{name} has capabilities: {field} {status[field]}"
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", name
    mounts = [line.split() for line in processes.read(pid, "mountinfo").decode().splitlines()]
    options = {mount[4]: mount[5].split(",") for mount in mounts}
    assert "ro" in options["/"], f"{name} can write its root"
    user, groups = int(status["Uid"].split()[0]), {
        int(group) for group in f"{status['Gid']} {status['Groups']}".split()}
    writable = {place for place, how in options.items()
                if "rw" in how and may_write(pid, place, user, groups)}
    assert not writable - WRITABLE, (name, writable - WRITABLE)


def test_every_process_is_confined(esddns):
    for pod in esddns.pods():
        pids = pod.pids()
        names = {processes.stat(pid)[0] for pid in pids}
        assert {"esddns", "esddns-updater", "esddns-webd"} <= names, (pod, names)
        for pid in pids:
            check_process(pid, pod)
            for secret in (esddns.token, "GANDI_API_KEY", "API_KEY"):
                assert secret.encode() not in processes.environ(pid), (pod, pid)


def test_the_spec_asks_for_no_more_than_hostnetwork(esddns):
    for pod in esddns.pods():
        spec = pod.spec
        assert not spec.get("hostPID") and not spec.get("hostIPC")
        assert spec.get("hostNetwork", False) == pod.name.startswith("esddns-operator-daemon-")
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not [v for v in spec["volumes"] if "hostPath" in v]
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_a_token_that_a_pod_has_opens_no_secret(esddns):
    """The real one of the service's account, as the API server issues it."""
    made = esddns.cluster.call(
        "POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/esddns-service/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
         "spec": {"expirationSeconds": 600}})
    token = made["status"]["token"]
    text = esddns.cluster.call("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/esddns-wan-ip",
                               token=token)
    assert text["data"]["current_ip"] == esddns.internet.wan
    for path in ("secrets", "secrets/esddns-gandi-credentials", "secrets/esddns-peer-key"):
        try:
            esddns.cluster.call("GET", f"/api/v1/namespaces/{NAMESPACE}/{path}", token=token)
        except Refused as refused:
            assert refused.status == 403
        else:
            raise AssertionError(f"the service account reads {path}")
