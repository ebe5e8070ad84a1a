"""The three-node cluster that the cluster tool makes, and its administrator's hands."""

import contextlib
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import urllib.parse

import netns
from controlplane import Missing, Refused, cluster_tool
from waiting import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
PREFIX = os.environ.get("ESK_PREFIX", "e2e")
DIRECTORY = ROOT / "build" / PREFIX         # short: sockets are below it
LOCK = pathlib.Path(f"/run/esddns-tests-{PREFIX}.lock")
NODES = {f"node{i}": f"10.77.0.{10 + i}" for i in (1, 2, 3)}
API, ADMIN = "10.77.0.1", "admintoken"
NAMESPACE = "esddns"
UP_SECONDS, SOCKET_PATH_MAX = 300, 107
PATCHES = {"PATCH": "application/merge-patch+json"}
GROUPS = {"leases": "/apis/coordination.k8s.io/v1", "daemonsets": "/apis/apps/v1",
          "deployments": "/apis/apps/v1", "events": "/apis/events.k8s.io/v1"}
# What neither the cluster tool nor tests/image/build.sh installs.
TOOLS = {"kubectl": "kubectl 1.27 or newer", "nginx": "the package nginx-light",
         "turnserver": "the package coturn", "openssl": "the package openssl",
         "curl": "the package curl"}


def need_tools():
    """Raises Missing with all that has to be installed."""
    if os.geteuid() != 0:
        raise Missing("these tests make network namespaces and containers: run them as root")
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [what for tool, what in TOOLS.items() if not shutil.which(tool, path=path)]
    if missing:
        raise Missing(f"these tests need what is not here; install {', '.join(missing)}")
    if len(f"{DIRECTORY}/n1/containerd.sock.ttrpc") > SOCKET_PATH_MAX:
        raise Missing(f"{DIRECTORY} is too long a path for sockets below it: use a shorter one")


class RealCluster:
    """A context manager. What an earlier run left behind, however it ended, goes first."""

    def __init__(self):
        need_tools()
        try:
            self._tool = cluster_tool()
        except Missing:
            raise Missing("these tests need the cluster tool: set ESDDNS_CLUSTER to its path") \
                from None
        self._lock = None
        self.directory = DIRECTORY
        self.lan, self.wan = (netns.Space(f"{PREFIX}-{name}") for name in ("lan", "wan"))
        self.kubeconfig = DIRECTORY / "etc" / "admin.conf"
        self._tls = None

    def __enter__(self):
        self._take_lock()
        try:
            self._remove_leftovers()
            self._share_programs()
            print(self.tool("up", "--nodes", str(len(NODES)), seconds=UP_SECONDS))
            self._tls = ssl.create_default_context(cafile=DIRECTORY / "certs" / "apiserver.crt")
            for i, address in enumerate(NODES.values(), 1):     # the pods' networks
                self.lan.ip("route", "add", f"10.244.{i}.0/24", "via", address)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._remove(DIRECTORY)
        self._lock.close()

    # --- up and down ---------------------------------------------------------------------

    def _take_lock(self):
        """One run at a time has the namespaces of this prefix; the file names its directory."""
        self._lock = open(LOCK, "a+", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Missing(f"another run of these tests goes on ({LOCK}): wait for its end, or set "
                          "ESK_PREFIX to another name of up to four letters") from None

    def _remove_leftovers(self):
        self._lock.seek(0)
        for directory in {self._lock.read().strip(), str(DIRECTORY)} - {""}:
            self._remove(pathlib.Path(directory))
        self._lock.truncate(0)
        self._lock.write(str(DIRECTORY))
        self._lock.flush()

    def _remove(self, directory):
        """cluster down there; also what kubelets leave outside of it."""
        directory.mkdir(parents=True, exist_ok=True)
        self.tool("down", directory=directory)
        for link in pathlib.Path("/var/log/containers").glob(f"*_{NAMESPACE}_*.log"):
            if not link.exists():
                link.unlink(missing_ok=True)
        for entry in directory.iterdir():
            if entry.name != "bin":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    @staticmethod
    def _share_programs():
        """They are unpacked where tests/cluster has them unpacked too."""
        programs = ROOT / "build" / "esk" / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        if not (DIRECTORY / "bin").exists():
            (DIRECTORY / "bin").symlink_to(programs)

    def tool(self, *arguments, seconds=120, directory=DIRECTORY):
        """The cluster tool's own commands; what it said. Its servers inherit no pipe of ours."""
        environment = os.environ | {"ESK_DIR": str(directory), "ESK_PREFIX": PREFIX}
        result = subprocess.run([self._tool, *arguments], env=environment, check=False, text=True,
                                timeout=seconds, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        assert result.returncode == 0, f"cluster {' '.join(arguments)}: {result.stdout}"
        return result.stdout

    def node_space(self, node):
        return netns.Space(f"{PREFIX}-n{node.removeprefix('node')}")

    def cut(self, node):
        self.tool("cut", node.removeprefix("node"))

    def heal(self, node):
        self.tool("heal", node.removeprefix("node"))

    # --- as its administrator, from the LAN -----------------------------------------------

    def command(self, *words, cwd=None, environment=None, text=None, seconds=120, check=True):
        """A program in the LAN, with the cluster's kubeconfig; the finished process."""
        home = {"PATH": os.environ["PATH"], "HOME": str(DIRECTORY), "LANG": "C.UTF-8",
                "KUBECONFIG": str(self.kubeconfig)}
        how = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
        with self.lan.entered():
            result = subprocess.run([str(word) for word in words], cwd=cwd, text=True, check=False,
                                    env=home | (environment or {}), timeout=seconds,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
        assert not check or result.returncode == 0, \
            f"{' '.join(map(str, words))}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def kubectl(self, *arguments, **how):
        """What it prints; both streams if it fails."""
        return self.command("kubectl", *arguments, **how).stdout

    def start(self, *words):
        """A program in the LAN that runs until it is stopped, its output in a pipe."""
        environment = os.environ | {"KUBECONFIG": str(self.kubeconfig), "HOME": str(DIRECTORY)}
        with self.lan.entered():
            return subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    @contextlib.contextmanager
    def connected(self, seconds=10):
        with self.lan.entered():
            connection = http.client.HTTPSConnection(API, 443, timeout=seconds, context=self._tls)
            try:
                connection.connect()
            except BaseException:
                connection.close()
                raise
        try:
            yield connection
        finally:
            connection.close()

    def call(self, method, path, body=None, plain=False, token=ADMIN):
        """One request to the API server; the object that came back."""
        headers = {"Authorization": f"Bearer {token}",
                   "Content-Type": PATCHES.get(method, "application/json")}
        with self.connected() as connection:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               headers)
            response = connection.getresponse()
            text = response.read().decode()
        if response.status >= 300:
            raise Refused(response.status, text)
        return text if plain else json.loads(text)

    def get(self, kind, name=None, **query):
        """An object of the namespace, or None where there is none; without a name: the items."""
        path = f"{GROUPS.get(kind, '/api/v1')}/namespaces/{NAMESPACE}/{kind}"
        try:
            found = self.call("GET", f"{path}/{name}" if name else
                              f"{path}?{urllib.parse.urlencode(query)}")
        except Refused as refused:
            if refused.status != 404:
                raise
            return None
        return found if name else found["items"]

    def stop_apiserver(self):
        self.tool("apiserver-stop")

    def start_apiserver(self):
        self.tool("apiserver-start")
        wait_for(lambda: self.call("GET", "/readyz", plain=True), "the API server is ready", 60)
