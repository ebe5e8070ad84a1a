"""A control plane with controllers, and a node that only pretends: pods get a status, and never run."""

import contextlib
import os
import subprocess
import threading

import controlplane
from controlplane import NAMESPACE, Missing, Refused
from waiting import wait_for

CONTROLLERS = ("namespace", "serviceaccount", "serviceaccount-token", "root-ca-cert-publisher",
               "deployment", "replicaset", "daemonset", "garbagecollector")
GROUPS = {"daemonsets": "/apis/apps/v1", "deployments": "/apis/apps/v1",
          "networkpolicies": "/apis/networking.k8s.io/v1", "leases": "/apis/coordination.k8s.io/v1",
          "roles": "/apis/rbac.authorization.k8s.io/v1",
          "rolebindings": "/apis/rbac.authorization.k8s.io/v1"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
NODE, ADDRESS = "pretended", "192.0.2.7"
POLL = 0.2


class Plane(controlplane.ControlPlane):
    """What the scripts find before anything was deployed; the test's own node is in it."""

    def __init__(self):
        super().__init__()
        self._manager = None
        self.node = Node(self)

    def __enter__(self):
        try:
            self._etcd = self._run("etcd", "--data-dir", f"{self.directory}/etcd",
                                   "--unsafe-no-fsync", *self._etcd_places())
            self.start_apiserver()
            self._start_manager()
            self.node.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.node.stop()
        if self._manager is not None:
            self._manager.kill()
            self._manager.wait()
        super().__exit__()

    def _start_manager(self):
        program = (self._assets / "kube-apiserver").resolve().with_name("kube-controller-manager")
        if not os.access(program, os.X_OK):
            raise Missing(f"these tests need kube-controller-manager too: there is no {program}")
        with open(self.directory / "manager.log", "ab") as log:
            # pylint: disable=subprocess-popen-preexec-fn
            self._manager = subprocess.Popen(
                [program, "--kubeconfig", self.directory / "admin.conf", "--leader-elect=false",
                 "--port=0", "--secure-port=0", f"--controllers={','.join(CONTROLLERS)}",
                 f"--root-ca-file={self.certificates}/ca.crt",
                 f"--service-account-private-key-file={self.directory}/sa.key"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=controlplane.die_with_parent)

    # --- what there is -------------------------------------------------------------------

    def get(self, kind, name=None):
        path = f"{GROUPS.get(kind, '/api/v1')}/namespaces/{NAMESPACE}/{kind}"
        return self.look(f"{path}/{name}" if name else path, name is None)

    def look(self, path, items=False):
        """An object, or None; or a list's items."""
        try:
            found = self.call("GET", path)
        except Refused as refused:
            if refused.status != 404:
                raise
            return None
        return found["items"] if items else found

    def versions(self):
        """Of all that the scripts may touch: what changes whenever it is written."""
        seen = {}
        for kind in ("configmaps", "secrets", "services", "serviceaccounts", *GROUPS):
            for item in self.get(kind):
                seen[kind, item["metadata"]["name"]] = version(kind, item)
        for path in ("/api/v1/namespaces", f"{RBAC}/clusterroles", f"{RBAC}/clusterrolebindings"):
            for item in self.look(path, items=True):
                seen[path, item["metadata"]["name"]] = version(path, item)
        return seen

    def clean(self):
        """As if nothing had ever been deployed here."""
        self.node.trouble = None
        for path in (f"{RBAC}/clusterroles/esddns-operator",
                     f"{RBAC}/clusterrolebindings/esddns-operator",
                     f"/api/v1/namespaces/{NAMESPACE}", "/api/v1/namespaces/metallb-system"):
            with contextlib.suppress(Refused):
                self.call("DELETE", path)
        for kind in ("ipaddresspools", "l2advertisements"):
            with contextlib.suppress(Refused):
                self.call("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
                                    f"{kind}.metallb.io")
        for name in (NAMESPACE, "metallb-system"):
            wait_for(lambda name=name: self.look(f"/api/v1/namespaces/{name}") is None,
                     f"the namespace {name} is gone")
        wait_for(lambda: not any("metallb" in crd["metadata"]["name"] for crd in self.look(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", items=True)),
                 "MetalLB is gone")

    def make_namespace(self):
        self.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace",
                                                 "metadata": {"name": NAMESPACE}})

    def account_without_rights(self):
        """A token that authenticates, and may nothing."""
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_for(lambda: self.look(account), "the default service account")
        made = self.call("POST", f"{account}/token", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": [], "expirationSeconds": 3600}})
        return made["status"]["token"]


def version(kind, item):
    """Controllers write the status of some objects at any time; their generation is the spec's."""
    meta = item["metadata"]
    if kind in ("daemonsets", "deployments"):
        return meta["uid"], meta["generation"], meta.get("annotations", {}).get(
            "kubectl.kubernetes.io/last-applied-configuration")
    return meta["uid"], meta["resourceVersion"]


class Node:
    """A thread that gives every pod a status, as `trouble` says, and lets it go when it is deleted."""

    def __init__(self, plane):
        self._plane = plane
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.trouble = None         # or the reason that each container waits for
        self.told = None            # what all pods were last told of it

    def start(self):
        self._plane.call("POST", "/api/v1/nodes", {
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": NODE, "labels": {"kubernetes.io/os": "linux"}}})
        self._plane.call("PATCH", f"/api/v1/nodes/{NODE}/status", {"status": {
            "addresses": [{"type": "InternalIP", "address": ADDRESS}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
        self._thread.start()

    def stop(self):
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self):
        while not self._ended.wait(POLL):
            # the API server may be away, and a pod may go at any moment
            with contextlib.suppress(Refused, OSError):
                trouble = self.trouble
                for pod in self._plane.look("/api/v1/pods", items=True):
                    self._handle(pod, trouble)
                self.told = trouble

    def _handle(self, pod, trouble):
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if "deletionTimestamp" in meta:
            self._plane.call("DELETE", path, {"gracePeriodSeconds": 0})
        elif trouble == "unschedulable":
            return
        elif not pod["spec"].get("nodeName"):
            self._plane.call("POST", f"{path}/binding", {
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]},
                "target": {"kind": "Node", "name": NODE}})
        else:
            status = self._status(pod, trouble)
            if pod["status"].get("containerStatuses") != status["containerStatuses"]:
                self._plane.call("PATCH", f"{path}/status", {"status": status})

    @staticmethod
    def _status(pod, trouble):
        ready = trouble is None
        container = {"name": pod["spec"]["containers"][0]["name"], "ready": ready,
                     "started": ready, "restartCount": 0, "lastState": {},
                     "image": pod["spec"]["containers"][0]["image"], "imageID": "none",
                     "state": {"waiting": {"reason": trouble}} if trouble
                              else {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
        if trouble == "not ready":
            container["state"] = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        return {"phase": "Pending" if "waiting" in container["state"] else "Running",
                "conditions": [{"type": "Ready", "status": str(ready),
                                "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                "containerStatuses": [container]}

