"""ESDDNS as k8s/deploy.sh deployed it: its pods, and what they show."""

import json
import secrets
import time

import overlay
import processes
import promtext
import webclient
from internet import ZONE
from realcluster import NAMESPACE, NODES
from waiting import wait_for

OPERATOR, SERVICE = "esddns-operator", "esddns-service"
DAEMONSET = "daemonset/esddns-operator-daemon"
DEPLOYMENT = "deployment/esddns-service"
PAGE, METRICS = 51339, 8080
LIMIT = 120     # seconds; generous: the machine may be busy with other tests
LOG_LINES = "60"


def ends(item):
    """A pod that is about to end, and still runs. (The kubelet clears away the rest at leisure.)"""
    return "deletionTimestamp" in item["metadata"] and any(
        "running" in s["state"] for s in item["status"].get("containerStatuses", []))


class Pod:
    """A pod that is not about to end."""

    def __init__(self, deployment, item):
        self._deployment = deployment
        self.name, self.uid = item["metadata"]["name"], item["metadata"]["uid"]
        self.node, self.address = item["spec"].get("nodeName"), item["status"].get("podIP")
        self.spec = item["spec"]
        statuses = item["status"].get("containerStatuses", [])
        self.ready = bool(statuses) and all(s["ready"] for s in statuses)
        self.running = bool(statuses) and all("running" in s["state"] for s in statuses)
        self.restarts = sum(s["restartCount"] for s in statuses)

    def __repr__(self):
        return f"{self.name} on {self.node}, ready: {self.ready}, restarts: {self.restarts}"

    def ask(self, path, port=PAGE, timeout=5):
        with self._deployment.cluster.lan.entered():
            return webclient.ask(port, path, host=self.address, timeout=timeout)

    def state(self):
        return self.ask("/api/v1/state").json

    def state_on_its_node(self):
        """As the node itself shows it, whose network may be away."""
        with self._deployment.cluster.node_space(self.node).entered():
            return webclient.ask(PAGE, "/api/v1/state").json

    def leads(self):
        return (self.state()["leader"] or {}).get("role") == "leader"

    def metrics(self):
        return promtext.Exposition(self.ask("/metrics", METRICS).text, openmetrics=False)

    def log(self, *options):
        return self._deployment.cluster.kubectl("logs", "-n", NAMESPACE, self.name, *options)

    def ctl(self, *words, **how):
        """esddnsctl in the pod."""
        return self._deployment.cluster.kubectl(
            "exec", "-n", NAMESPACE, self.name, "--", "esddnsctl", *words, **how)

    def pids(self):
        """Of its own container's processes, on this machine; the first is the supervisor."""
        return sorted(pid for pid in processes.everyone()
                      if self.uid.encode() in processes.read(pid, "cgroup") and
                      (processes.stat(pid) or ("",))[0].startswith("esddns"))


class Deployment:
    """One namespace; the user's directory; and the token that the provider knows."""

    def __init__(self, cluster, internet, directory):
        self.cluster, self.internet = cluster, internet
        self.directory = directory
        self.token = None
        self.k8s = overlay.make(directory, internet.tls / "ca.crt")
        self.manifest = directory / "esddns-production.yaml"
        self.new_token()

    def new_token(self):
        self.token = secrets.token_hex(20)
        self.internet.set_token(self.token)

    def edit_configuration(self, script):
        """kubectl edit of esddns-config, with sed as the editor."""
        self.cluster.kubectl("edit", "configmap", "esddns-config", "-n", NAMESPACE,
                             environment={"KUBE_EDITOR": f"sed -i '{script}'"})

    def deploy(self):
        """What a user types; the script's output and the seconds until it was done."""
        started = time.monotonic()
        result = self.cluster.command("k8s/deploy.sh", "production", "--yes", cwd=self.directory,
                                      environment={"GANDI_API_KEY": self.token}, seconds=300)
        return result.stdout + result.stderr, time.monotonic() - started

    # --- pods --------------------------------------------------------------------------------

    def pods(self, app=None):
        """All that are not about to end, by node."""
        query = {"labelSelector": f"app={app}"} if app else {}
        found = [Pod(self, item) for item in self.cluster.get("pods", **query)
                 if "deletionTimestamp" not in item["metadata"]]
        return sorted(found, key=lambda pod: (pod.node or "", pod.name))

    def operators(self):
        return self.pods(OPERATOR)

    def service_pods(self):
        return self.pods(SERVICE)

    def holder(self):
        """The node that the Lease names, or None."""
        lease = self.cluster.get("leases", "esddns-leader")
        holder = lease and lease["spec"].get("holderIdentity")
        return holder.rpartition("_")[0] if holder else None

    def leader(self):
        """The pod that leads, as it says itself."""
        found = [p for p in self.operators() if p.ready and p.leads()]
        assert len(found) <= 1, f"more than one leads: {found}"
        return found[0] if found else None

    def wait_leader(self, but=None):
        """The pod that leads; another one than that on the node `but`."""
        def look():
            pod = self.leader()
            return pod if pod and pod.node != but else None

        return wait_for(look, f"a leader (not {but})", LIMIT)

    # --- what they show -----------------------------------------------------------------------

    def unhealthy(self):
        """What is not as it has to be, or "": all pods show the right address and record."""
        operators, service = self.operators(), self.service_pods()
        if [p.node for p in operators] != list(NODES) or not service:
            return f"pods: {operators + service}"
        if any(ends(item) for item in self.cluster.get("pods")):
            return "pods that end"
        for pod in operators + service:
            if not pod.ready:
                return f"not ready: {pod}"
            problem = self.untrue(pod.state())
            if problem:
                return f"{pod}: {problem}"
        leaders = [p.node for p in operators if p.leads()]
        if leaders != [self.holder()]:
            return f"lead: {leaders}, the Lease names {self.holder()}"
        if not all(p.state()["cluster"]["connected"] for p in operators if p.node not in leaders):
            return "not all hear the leader"
        return ""

    def untrue(self, state):
        """What a pod shows that is not so, or ""."""
        address = state["wan"]["ipv4"]["address"]
        if address != self.internet.wan:
            return f"shows {address}, not {self.internet.wan}"
        record = state["records"][0]
        if not record["in_sync"] or state["verdict"]["level"] != "good":
            return f"{state['verdict']}, record {record}"
        return ""

    def wait_healthy(self, limit=LIMIT):
        """All is ready and right; the record at the provider as well."""
        def check():
            problem = self.unhealthy()
            if problem:
                raise LookupError(problem)
            return True

        wait_for(check, "everything is well", limit)
        assert self.internet.record() == [self.internet.wan]

    def wait_all_show(self, limit=LIMIT):
        """The seconds until all pods show the newest address, in sync."""
        started = time.monotonic()
        wait_for(lambda: not any(self.untrue(p.state()) for p in self.pods()),
                 f"all show {self.internet.wan}", limit)
        return time.monotonic() - started

    def restarts(self):
        return {pod.name: pod.restarts for pod in self.pods()}

    # --- objects -------------------------------------------------------------------------------

    def wan_object(self):
        return self.cluster.get("configmaps", "esddns-wan-ip")

    def reported(self):
        """What the ConfigMap says of the record."""
        return json.loads(self.wan_object()["data"][f"record.{ZONE}.A"])

    def rollout_restart(self, *objects):
        for name in objects:
            self.cluster.kubectl("rollout", "restart", name, "-n", NAMESPACE)

    def rollout_status(self, *objects):
        for name in objects:
            self.cluster.kubectl("rollout", "status", name, "-n", NAMESPACE, "--timeout",
                                 f"{LIMIT}s")

    # --- for who reads a failure -----------------------------------------------------------------

    def evidence(self):
        """What there is to be seen, whatever of it can be."""
        parts = []
        for words in (("get", "pods,leases", "-o", "wide"), ("get", "events"),
                      ("get", "configmap", "esddns-wan-ip", "-o", "yaml")):
            parts.append(self._shown(lambda words=words: self.cluster.command(
                "kubectl", "-n", NAMESPACE, *words, check=False).stdout))
        for pod in self._shown(self.pods) or []:
            if isinstance(pod, Pod):
                parts.append(f"--- {pod}")
                parts.append(self._shown(lambda pod=pod: self.unhappy_parts(pod.state())))
                parts.append(self._shown(lambda pod=pod: pod.log("--tail", LOG_LINES)))
        parts.append(self._shown(lambda: f"the record: {self.internet.record()}, writes: "
                                         f"{self.internet.writes()[-5:]}"))
        return "\n".join(str(part) for part in parts)

    @staticmethod
    def unhappy_parts(state):
        return json.dumps({key: state.get(key) for key in
                           ("verdict", "leader", "cluster", "records", "units")})

    @staticmethod
    def _shown(what):
        try:
            return what()
        except (AssertionError, OSError, ValueError, LookupError) as error:
            return f"({error})"
