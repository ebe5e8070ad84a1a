"""A control plane with what monitoring needs: endpoints of Services, and the Operator's kinds."""

import pathlib
import subprocess

import controlplane
from controlplane import NAMESPACE, ROOT, Missing, die_with_parent
from waiting import wait_for

CRDS = pathlib.Path(__file__).resolve().with_name("crds.yaml")
FOLDER = ROOT / "k8s" / "monitoring"
CONTROLLERS = "kube-controller-manager"


def controllers(assets):
    """The program: in the directory, or beside the kubectl to which it holds a link."""
    places = [assets, (assets / "kubectl").resolve().parent]
    for place in places:
        if (place / CONTROLLERS).exists():
            return place / CONTROLLERS
    raise Missing(f"these tests need {CONTROLLERS}: it is in neither of {places[0]}, {places[1]}")


class Plane(controlplane.ControlPlane):
    """Besides: the controllers that keep Endpoints, and the CRD fixtures."""

    def __init__(self):
        super().__init__()
        self._program = controllers(self._assets)
        self._controllers = None

    def __enter__(self):
        super().__enter__()
        try:
            with open(self.directory / "controllers.log", "ab") as log:
                # pylint: disable=subprocess-popen-preexec-fn
                self._controllers = subprocess.Popen(
                    [self._program, "--kubeconfig", self.directory / "admin.conf",
                     "--controllers=endpoint,endpointslice", "--leader-elect=false", "--port=0",
                     "--secure-port=0"], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                    preexec_fn=die_with_parent)
            self.kubectl("apply", "-f", str(CRDS))
            self.kubectl("wait", "--for", "condition=established", "--timeout=60s", "-f", str(CRDS))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *details):
        if self._controllers is not None:
            self._controllers.kill()
            self._controllers.wait()
            self._controllers = None
        super().__exit__(*details)

    def monitoring(self, kind, name=None):
        """Objects of the Operator's kinds, as the API server has them."""
        path = f"/apis/monitoring.coreos.com/v1/namespaces/{NAMESPACE}/{kind}"
        found = self.call("GET", f"{path}/{name}" if name else path)
        return found if name else found["items"]

    def run_pod(self, template, name, node, address):
        """A Pod as the DaemonSet or Deployment would make it, and as a kubelet would report it."""
        self.create("pods", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": dict(template["metadata"], name=name),
            "spec": dict(template["spec"], nodeName=node)})
        self.call("PATCH", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/status", {"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}]}})

    def wait_endpoints(self, service, addresses):
        def check():
            found = self.get("endpoints", service) or {}
            have = {(address["ip"], port["name"], port["port"])
                    for subset in found.get("subsets", []) for port in subset["ports"]
                    for address in subset.get("addresses", [])}
            return have == {(address, "metrics", 8080) for address in addresses}

        wait_for(check, f"the endpoints of {service} are {addresses}",
                 evidence=lambda: str(self.get("endpoints", service)))
