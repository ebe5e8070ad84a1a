"""Three pods of the operator and one of the service, for real, as monitoring meets them."""

import subprocess

import yaml

from cluster import Cluster
from controlplane import ROOT, NAMESPACE
from esddns import BUILD
from plane import FOLDER
from waiting import wait_for
from world import INTERVAL

EVERY = f"{INTERVAL}s"      # as it is deployed
BALANCER = "203.0.113.80"


def templates():
    """The pod templates of the manifests, by their app."""
    found = {}
    for name in ("daemonset", "deployment"):
        made = yaml.safe_load((ROOT / "k8s" / "base" / f"{name}.yaml").read_text(encoding="utf-8"))
        template = made["spec"]["template"]
        found[template["metadata"]["labels"]["app"]] = template
    return found


class Fleet:
    """`pods` are instances by the name of their Pod; `places` where each would be, and is."""

    def __init__(self, plane, box, peer_key):
        self.plane, self.box, self.peer_key = plane, box, peer_key
        self.cluster = Cluster(plane, box, peer_key)
        self.pods, self.jobs, self.addresses = {}, {}, {}

    def start(self):
        plane = self.plane
        plane.kubectl("apply", "-f", f"{ROOT}/k8s/base/service.yaml")
        plane.call("PATCH", f"/api/v1/namespaces/{NAMESPACE}/services/esddns-service/status",
                   {"status": {"loadBalancer": {"ingress": [{"ip": BALANCER}]}}})
        changes = {"detector": {"interval": EVERY}, "updater": {"interval": EVERY}}
        operators = self.cluster.start_three(**changes)
        shows = self.cluster.start(
            4, account="esddns-service", start=False, detector=changes["detector"],
            updater=changes["updater"] | {"observe": True},
            units={"detector": {"enabled": False}}, cluster={"peers": {"key_file": None}})
        del shows.environment["GANDI_API_KEY"]
        shows.start()
        shows.wait_in_sync()
        for number, one in enumerate([*operators, shows], 1):
            self._add(one, "esddns-operator" if one is not shows else "esddns-service",
                      f"10.77.0.{10 + number}" if one is not shows else "10.244.1.7")
        plane.kubectl("apply", "-f", str(FOLDER))
        for job in ("esddns-operator", "esddns-service"):
            plane.wait_endpoints(f"{job}-metrics", [self.addresses[pod] for pod in self.pods
                                                    if self.jobs[pod] == job])
        # each asks for it in its turn, within ten seconds of its start
        for one in self.pods.values():
            one.wait_state(lambda s: s["cluster"]["balancer"] == BALANCER, "the load balancer")
        return self

    def _add(self, one, job, address):
        self.plane.run_pod(templates()[job], one.pod, one.node, address)
        self.pods[one.pod], self.jobs[one.pod], self.addresses[one.pod] = one, job, address

    @property
    def places(self):
        return {f"{self.addresses[pod]}:8080": f"127.0.0.1:{one.metrics_port}"
                for pod, one in self.pods.items()}

    def labels(self, pod):
        """What the ServiceMonitor's relabelling leaves of the target's labels."""
        found = {"namespace": NAMESPACE, "job": self.jobs[pod], "pod": pod,
                 "instance": f"{self.addresses[pod]}:8080"}
        # by the container's port, which pods of the host's network do not name
        return found | ({"container": "esddns"} if self.jobs[pod] == "esddns-service" else {})

    @property
    def leader(self):
        return next(pod for pod, one in self.pods.items()
                    if self.jobs[pod] == "esddns-operator" and one.running() and one.leads())

    @property
    def standbys(self):
        return [pod for pod, job in self.jobs.items()
                if job == "esddns-operator" and pod != self.leader]

    def sync(self):
        """A check of the records now, where they are checked."""
        one = self.pods[self.leader]
        subprocess.run([f"{BUILD}/esddnsctl", "-s", f"{one.directory}/run/control.sock", "sync"],
                       check=True, timeout=30, stdin=subprocess.DEVNULL,
                       env=one.child_environment())

    def wait_record(self, state):
        """All pods show the record in that state."""
        for one in self.pods.values():
            if one.running():
                wait_for(lambda one=one: one.record()["state"] == state, f"the record is {state}",
                         evidence=one.evidence)

    def finish(self):
        self.cluster.finish()
