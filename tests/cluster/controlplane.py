"""The real control plane: etcd and kube-apiserver on loopback, with the rights of k8s/base."""

import base64
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import tempfile

import certificates
from esddns import free_ports
from waiting import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMESPACE = "esddns"
ADMIN = "admin-of-the-tests"
READY_SECONDS = 90
# Of k8s/base: what makes the instances' tokens, and says what they may do.
RIGHTS = ("namespace", "serviceaccounts", "rbac")
PROGRAMS = ("etcd", "kube-apiserver", "kubectl")
PATCHES = {"PATCH": "application/merge-patch+json"}


class Missing(Exception):
    """A sentence that says what is not there."""


def cluster_tool():
    """Where ../shared/cluster/cluster is."""
    named = os.environ.get("ESDDNS_CLUSTER")
    places = [pathlib.Path(named)] if named else [
        ROOT.parent / "shared" / "cluster" / "cluster",
        pathlib.Path("/work/shared/cluster/cluster")]
    for place in places:
        if os.access(place, os.X_OK):
            return place
    raise Missing("these tests need a real kube-apiserver: set KUBEBUILDER_ASSETS to a directory "
                  "with etcd, kube-apiserver and kubectl, or ESDDNS_CLUSTER to the cluster tool; "
                  f"there is no {' and no '.join(map(str, places))}")


def assets():
    """The directory with the programs (KUBEBUILDER_ASSETS, or what the cluster tool unpacks)."""
    directory = os.environ.get("KUBEBUILDER_ASSETS")
    if not directory:
        environment = os.environ | {"ESK_DIR": os.environ.get("ESK_DIR", f"{ROOT}/build/esk")}
        result = subprocess.run([cluster_tool(), "assets"], env=environment, check=False,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=300)
        if result.returncode:
            raise Missing(f"{cluster_tool()} assets failed: {result.stdout}")
        directory = result.stdout.split()[-1]
    for program in PROGRAMS:
        if not os.access(f"{directory}/{program}", os.X_OK):
            raise Missing(f"{directory} (KUBEBUILDER_ASSETS) has no {program}")
    return pathlib.Path(directory)


def die_with_parent():
    """In the child: the kernel ends it when the tests end, however they do."""
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))     # PR_SET_PDEATHSIG


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


def controller_manager(directory):
    """Beside the programs, or where the links to them lead."""
    for place in (directory, (directory / "kubectl").resolve().parent):
        if os.access(place / "kube-controller-manager", os.X_OK):
            return place / "kube-controller-manager"
    raise Missing(f"{directory} (KUBEBUILDER_ASSETS) has no kube-controller-manager, which is to "
                  "delete what a namespace held")


class ControlPlane:
    """A context manager; the API server can be stopped and started again in between.

    rights: with the namespace and the service accounts of k8s/base. controllers: those of
    kube-controller-manager that are to run.
    """

    def __init__(self, rights=True, controllers=()):
        self._assets = assets()
        self._rights, self._controllers = rights, controllers
        self._manager = controller_manager(self._assets) if controllers else None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="esdcp.", dir="/tmp"))
        self.certificates = certificates.make(self.directory / "tls", "DNS:kubernetes.default")
        self._etcd_port, self._peer_port, self.port = free_ports(3)
        self._tls = ssl.create_default_context(cafile=self.certificates / "ca.crt")
        self._etcd = self._apiserver = self._controlling = None
        self._tokens = 0
        (self.directory / "tokens.csv").write_text(f'{ADMIN},admin,admin,"system:masters"\n')
        certificates.openssl("genrsa", "-out", str(self.directory / "sa.key"), "2048")
        self._write_kubeconfig()

    def __enter__(self):
        try:
            self._etcd = self._run("etcd", "--data-dir", f"{self.directory}/etcd",
                                   "--unsafe-no-fsync", *self._etcd_places())
            self.start_apiserver()
            self._start_controllers()
            for part in RIGHTS if self._rights else ():
                self.kubectl("apply", "-f", f"{ROOT}/k8s/base/{part}.yaml")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in (self._controlling, self._apiserver, self._etcd):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- processes -------------------------------------------------------------------

    def _run(self, program, *arguments):
        with open(self.directory / f"{pathlib.Path(program).name}.log", "ab") as log:
            # pylint: disable=subprocess-popen-preexec-fn
            return subprocess.Popen([self._assets / program, *arguments], stdout=log, stderr=log,
                                    stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def _etcd_places(self):
        client, peer = (f"http://127.0.0.1:{p}" for p in (self._etcd_port, self._peer_port))
        return ("--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", f"default={peer}")

    def start_apiserver(self):
        tls, key = self.certificates, f"{self.directory}/sa.key"
        self._apiserver = self._run(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--tls-cert-file={tls}/server.crt", f"--tls-private-key-file={tls}/server.key",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}", "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC", f"--token-auth-file={self.directory}/tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={key}", f"--service-account-key-file={key}",
            f"--cert-dir={self.directory}/certs")
        wait_for(self._is_ready, "kube-apiserver is ready", READY_SECONDS, self.log_tail)

    def _start_controllers(self):
        if self._manager is not None:
            self._controlling = self._run(
                self._manager, "--kubeconfig", f"{self.directory}/admin.conf",
                f"--controllers={','.join(self._controllers)}", "--leader-elect=false",
                "--port=0", "--secure-port=0")

    def stop_apiserver(self):
        """As a crash does it: what is under way gets no answer."""
        self._apiserver.kill()
        self._apiserver.wait()

    @property
    def apiserver_pid(self):
        return self._apiserver.pid

    def _is_ready(self):
        if self._apiserver.poll() is not None:
            raise AssertionError(f"kube-apiserver ended:\n{self.log_tail()}")
        try:
            return self.call("GET", "/readyz", plain=True)
        except Refused:
            return False

    def log_tail(self):
        log = self.directory / "kube-apiserver.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    # --- as an administrator ------------------------------------------------------------

    def call(self, method, path, body=None, plain=False, token=ADMIN, kind=None):
        """One request; the object that came back."""
        headers = {"Authorization": f"Bearer {token}",
                   "Content-Type": kind or PATCHES.get(method, "application/json")}
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30,
                                                 context=self._tls)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status >= 300:
            raise Refused(response.status, text)
        return text if plain else json.loads(text)

    def _path(self, kind, name=None):
        group = {"leases": "/apis/coordination.k8s.io/v1", "events": "/apis/events.k8s.io/v1"}
        path = f"{group.get(kind, '/api/v1')}/namespaces/{NAMESPACE}/{kind}"
        return f"{path}/{name}" if name else path

    def get(self, kind, name=None):
        """An object, or None where there is none; without a name: the list's items."""
        try:
            found = self.call("GET", self._path(kind, name))
        except Refused as refused:
            if refused.status != 404:
                raise
            return None
        return found if name else found["items"]

    def create(self, kind, body):
        return self.call("POST", self._path(kind), body)

    def patch(self, kind, name, body):
        """A merge patch."""
        return self.call("PATCH", self._path(kind, name), body)

    def delete(self, kind, name, **options):
        try:
            self.call("DELETE", self._path(kind, name), options or None)
        except Refused as refused:
            if refused.status != 404:
                raise

    def wan(self):
        """The ConfigMap's data, or None."""
        found = self.get("configmaps", "esddns-wan-ip")
        return found and found.get("data", {})

    def lease(self):
        found = self.get("leases", "esddns-leader")
        return found and found["spec"]

    def clean(self):
        """As if ESDDNS had never run here."""
        for kind, name in (("configmaps", "esddns-wan-ip"), ("leases", "esddns-leader"),
                           ("services", "esddns-service")):
            self.delete(kind, name)
        for pod in self.get("pods"):
            self.delete("pods", pod["metadata"]["name"], gracePeriodSeconds=0)
        self.call("DELETE", self._path("events"))

    def token(self, account):
        """A new token of a service account of k8s/base, other than all before."""
        self._tokens += 1
        made = self.call("POST", self._path("serviceaccounts", account) + "/token",
                         {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                          "spec": {"audiences": [], "expirationSeconds": 3600 + self._tokens}})
        return made["status"]["token"]

    def _write_kubeconfig(self):
        (self.directory / "admin.conf").write_text(self.kubeconfig(ADMIN))

    def kubeconfig(self, token, port=None):
        """Its text, for a token; with the CA inside."""
        authority = base64.b64encode((self.certificates / "ca.crt").read_bytes()).decode()
        cluster = {"server": f"https://127.0.0.1:{port or self.port}",
                   "certificate-authority-data": authority}
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "tests", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {
                "cluster": "tests", "user": "tests", "namespace": NAMESPACE}}]})

    def kubectl(self, *arguments, token=None, text=None):
        """What it says; in the namespace, as an administrator or with a token; text: its input."""
        who = ("--token", token) if token else ()
        result = subprocess.run(
            [self._assets / "kubectl", "--kubeconfig", self.directory / "admin.conf",
             "--namespace", NAMESPACE, *who, *arguments], check=False, text=True, timeout=60,
            input=text or "", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory)})
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stdout}"
        return result.stdout

    def may(self, account, verb, resource, name=None, group="", namespace=NAMESPACE):
        """Does RBAC let the service account do that? (SubjectAccessReview)"""
        attributes = {"verb": verb, "group": group, "resource": resource, "name": name or "",
                      "namespace": namespace}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": f"system:serviceaccount:{NAMESPACE}:{account}",
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": attributes}}
        return self.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                         review)["status"]["allowed"]


