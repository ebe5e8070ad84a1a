"""The commands that the documents show for operation and troubleshooting, as they are typed."""

import contextlib
import json
import os
import re
import signal
import threading
import time

import logread
import promtext
from deployment import DAEMONSET, DEPLOYMENT, LIMIT
from internet import Observer, ZONE
from realcluster import NAMESPACE
from waiting import wait_for

BALANCER = "10.77.0.80"


def kubectl(esddns, line, **how):
    """One command line of a document."""
    return esddns.cluster.command("sh", "-c", f"kubectl {line}", **how).stdout


# --- logs -------------------------------------------------------------------------------------

def events(text):
    """All lines must be events."""
    found, strays = logread.parse(text)
    assert not strays, strays
    return found


def wait_settled(esddns):
    """Pods that have ended are gone: a kubelet takes its time, and their logs cannot be shown."""
    wait_for(lambda: not any("deletionTimestamp" in item["metadata"]
                             for item in esddns.cluster.get("pods")), "no pod is going", LIMIT)


def test_logs_by_label(esddns):
    wait_settled(esddns)
    found = events(kubectl(esddns, "logs -n esddns -l app=esddns-operator --tail=-1"))
    assert {e.unit for e in found} >= {"supervisor", "detector", "updater", "webd"}
    assert events(kubectl(esddns, "logs -n esddns -l app=esddns-service --tail=-1"))
    text = kubectl(esddns, "logs -n esddns -l app=esddns-operator --tail=-1 | grep -i dns")
    assert ZONE in text
    assert esddns.token not in text


@contextlib.contextmanager
def running(esddns, line):
    """A command that a user ends by Ctrl-C; one that says nothing ends by itself."""
    process = esddns.cluster.start("sh", "-c", f"exec kubectl {line}")
    guard = threading.Timer(LIMIT, process.kill)
    guard.start()
    try:
        yield process
    finally:
        guard.cancel()
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        process.wait(LIMIT)


def test_logs_of_the_nodes_that_are_followed(esddns):
    wait_settled(esddns)
    told = set()
    with running(esddns, "logs -n esddns -l app=esddns-operator -f") as process:
        for line in process.stdout:
            told.update(event.unit for event in events(line))
            if "updater" in told:
                break
    assert "updater" in told


def test_logs_of_all_that_are_followed(esddns):
    wait_settled(esddns)
    pods = {pod.name for pod in esddns.pods()}
    with running(esddns, "logs -n esddns -l app.kubernetes.io/name=esddns "
                         "--all-containers=true -f --prefix") as process:
        for line in process.stdout:
            name = re.match(r"\[pod/([^/]+)/esddns\] (.*\n)", line)
            assert name and events(name[2]), line
            pods.discard(name[1])
            if not pods:
                break
    assert not pods, f"nothing of {pods}"


def test_logs_of_a_container_before_this_one(esddns, figure):
    """All supervisors are killed; the leader's Lease expires, and the record stays right."""
    restarts = esddns.restarts()
    with Observer(esddns.internet, esddns.cluster):
        for pod in esddns.operators():
            os.kill(pod.pids()[0], signal.SIGKILL)
        started = time.monotonic()
        wait_for(lambda: all(p.running and p.restarts > restarts[p.name]
                             for p in esddns.operators()), "all run again", LIMIT)
        esddns.wait_healthy()
        figure(f"all supervisors killed: all was well after {time.monotonic() - started:.1f} s")
    wait_settled(esddns)
    text = kubectl(esddns, "logs -n esddns -l app=esddns-operator --previous")
    assert events(text)


# --- objects ------------------------------------------------------------------------------------

def test_the_cached_address(esddns):
    text = kubectl(esddns, "get configmap -n esddns esddns-wan-ip -o yaml")
    data = esddns.wan_object()["data"]
    assert f"\n  current_ip: {esddns.internet.wan}\n" in text
    for key in ("detected_at", "timestamp"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", data[key]), data[key]
        assert re.search(rf'^  {key}: "?{re.escape(data[key])}"?$', text, re.M), text


def test_what_is_there(esddns):
    text = kubectl(esddns, "get all -n esddns")
    for name in (DAEMONSET.replace("daemonset", "daemonset.apps"),
                 DEPLOYMENT.replace("deployment", "deployment.apps"), "service/esddns-service"):
        assert name in text
    text = kubectl(esddns, "describe daemonset -n esddns esddns-operator-daemon")
    assert "3 Running / 0 Waiting" in text and "esddns-config" in text
    assert esddns.token not in text
    text = kubectl(esddns, f"describe pod -n esddns {esddns.leader().name}")
    assert "This pod leads now" in text, text


def test_who_leads_and_how_it_does(esddns):
    leader = esddns.leader()
    text = kubectl(esddns, "get lease -n esddns esddns-leader")
    assert f" {leader.node}_" in text, text
    text = kubectl(esddns, f"exec -n esddns {DAEMONSET} -- esddnsctl status")
    assert "All is well." in text and esddns.internet.wan in text, text


def test_what_the_settings_are(esddns):
    secret = kubectl(esddns, "get secret -n esddns esddns-gandi-credentials "
                             "-o jsonpath='{.data.api-key}' | base64 -d")
    assert secret == esddns.token
    assert kubectl(esddns, "get configmap -n esddns esddns-config "
                           "-o jsonpath='{.data.target-domain}'") == ZONE


# --- access -------------------------------------------------------------------------------------

def test_port_forward_to_the_metrics(esddns):
    with running(esddns, f"port-forward -n esddns {DAEMONSET} 8080:8080") as process:
        said = process.stdout.readline()
        assert said.startswith("Forwarding from 127.0.0.1:8080"), said
        text = esddns.cluster.command("curl", "-sS", "--fail", "--max-time", "20",
                                      "http://localhost:8080/metrics").stdout
    metrics = promtext.Exposition(text, openmetrics=False)
    assert metrics.value("esddns_current_wan_ip_info", ip_address=esddns.internet.wan) == 1
    assert metrics.value("esddns_state_in_sync", domain=ZONE) == 1


@contextlib.contextmanager
def balancer(esddns):
    """What a cloud's controller does: it gives the Service an address, and sends on what comes."""
    rule = ("OUTPUT", "-d", BALANCER, "-p", "tcp", "--dport", "80", "-j", "DNAT",
            "--to-destination", f"{esddns.service_pods()[0].address}:51339")
    status = f"/api/v1/namespaces/{NAMESPACE}/services/esddns-service/status"
    command, call = esddns.cluster.command, esddns.cluster.call
    command("iptables", "-t", "nat", "-A", *rule)
    call("PATCH", status, {"status": {"loadBalancer": {"ingress": [{"ip": BALANCER}]}}})
    try:
        yield
    finally:
        call("PATCH", status, {"status": {"loadBalancer": {"ingress": None}}})
        command("iptables", "-t", "nat", "-D", *rule)


def test_access_by_the_load_balancer(esddns):
    script = """
    EXTERNAL_IP=$(kubectl get svc -n esddns esddns-service \\
      -o jsonpath='{.status.loadBalancer.ingress[0].ip}')
    curl -sS --fail --max-time 20 http://$EXTERNAL_IP/
    curl -sS --fail --max-time 20 http://$EXTERNAL_IP/raw
    """
    with balancer(esddns):
        text = esddns.cluster.command("sh", "-euc", script).stdout
    page, _, raw = text.rpartition("</html>\n")
    assert "<title>ESDDNS" in page
    assert json.loads(raw)["wan_ip_state"] == {"IP": esddns.internet.wan, "usable": True}


def test_access_by_a_node_port(esddns):
    kubectl(esddns, """patch svc esddns-service -n esddns -p '{"spec":{"type":"NodePort"}}'""")
    service = esddns.cluster.get("services", "esddns-service")
    kubectl(esddns, """patch svc esddns-service -n esddns -p '{"spec":{"type":"LoadBalancer"}}'""")
    assert service["spec"]["type"] == "NodePort"
    assert service["spec"]["ports"][0]["nodePort"] >= 30000


def memory_of(esddns, pod):
    """What the node's kubelet says of it; None where it has not measured it yet."""
    summary = json.loads(esddns.cluster.kubectl(
        "get", "--raw", f"/api/v1/nodes/{pod.node}/proxy/stats/summary"))
    memory = next((p["memory"] for p in summary["pods"] if p["podRef"]["uid"] == pod.uid), {})
    return memory if memory.get("rssBytes", 0) > 2**20 else None


def test_what_each_pod_measures(esddns, figure):
    """Memory as the kubelet reports it; what everybody may scrape."""
    for pod in esddns.pods():
        memory = wait_for(lambda pod=pod: memory_of(esddns, pod), f"a figure of {pod}")
        figure(f"{pod.name}{' (leads)' if pod.leads() else ''}: working set "
               f"{memory['workingSetBytes'] / 2**20:.1f} MiB, rss {memory['rssBytes'] / 2**20:.1f}")
        metrics = pod.metrics()
        assert metrics.value("esddns_current_wan_ip_info", ip_address=esddns.internet.wan) == 1
        assert len(metrics.samples("esddns_current_wan_ip_info")) == 1
