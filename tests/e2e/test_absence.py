"""It goes without a trace and comes again, also without its Secrets, which come later."""

import time

import processes
from deployment import LIMIT
from internet import Observer
from waiting import wait_for

SHARED = ("/apis/rbac.authorization.k8s.io/v1/clusterroles",
          "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "/api/v1/namespaces",
          "/api/v1/persistentvolumes")


def remains(esddns, uids):
    """What is still there of it: objects, and processes of its pods."""
    found = [item["metadata"]["name"] for path in SHARED
             for item in esddns.cluster.call("GET", path)["items"]
             if "esddns" in item["metadata"]["name"]]
    return found + [pid for pid in processes.everyone()
                    if any(uid in processes.read(pid, "cgroup") for uid in uids)]


def check_words(esddns):
    """Each pod runs, and says what is missing and what that means; the page too."""
    for pod in esddns.operators():
        log = pod.log("--tail=-1")
        for secret, words in (("esddns-gandi-credentials", "no record is written until"),
                              ("esddns-peer-key", "without it the nodes do not talk")):
            assert any(secret in line and words in line for line in log.splitlines()), log
    leader = esddns.wait_leader()
    state = leader.state()
    assert state["verdict"]["level"] == "bad", state["verdict"]
    assert "esddns-gandi-credentials" in leader.ask("/").text


def test_it_goes_without_a_trace_and_comes_again_without_secrets(esddns, figure):
    kubectl = esddns.cluster.kubectl
    uids = [pod.uid.encode() for pod in esddns.pods()]
    with Observer(esddns.internet, esddns.cluster):
        kubectl("delete", "-f", esddns.manifest, seconds=300)
        wait_for(lambda: not remains(esddns, uids), "nothing is left", LIMIT,
                 lambda: str(remains(esddns, uids)))
        kubectl("apply", "-f", esddns.manifest)
        wait_for(lambda: len(esddns.operators()) == 3 and all(
            pod.running for pod in esddns.pods()), "all pods run", LIMIT)
        esddns.wait_leader()
        wait_for(lambda: esddns.wan_object()["data"].get("current_ip") == esddns.internet.wan,
                 "the address is found", LIMIT)
        check_words(esddns)
        started = time.monotonic()
        output, _ = esddns.deploy()     # it makes the Secrets that are missing
        assert esddns.token not in output
        esddns.wait_healthy()
        figure(f"the Secrets were created: all was well after {time.monotonic() - started:.1f} s")
        assert not any(esddns.restarts().values())
