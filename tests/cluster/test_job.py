"""The same job as on one host, across a cluster: who leads, who writes, who shows what."""

import json
import threading
import time

from cluster import NEW4, NEWER4, WAN4
from waiting import wait_for

# of the contract, and of the design
KEYS = {"current_ip", "detected_at", "timestamp", "epoch", "sequence", "holder", "publisher",
        "followers", "votes", "record.example.com.A"}
SPREAD = 0.1    # seconds between the first page that shows a change, and the last


def test_one_leads_one_writes_and_all_show_it(cluster, three, box, plane):
    first, second, third = three
    assert cluster.leaders() == [first]
    assert cluster.puts() == 1 and cluster.record() == [WAN4]
    for instance in three:
        assert instance.shows(WAN4)
        assert instance.holder() == "node1"
    data = plane.wan()
    assert KEYS <= set(data), data
    assert data["current_ip"] == WAN4 and data["holder"].startswith("node1_")
    assert data["publisher"].startswith("tcp://127.0.0.11:")
    assert plane.lease()["holderIdentity"] == data["holder"]
    assert plane.lease()["leaseTransitions"] == int(data["epoch"])
    record = json.loads(data["record.example.com.A"])
    assert record["wanted"] == WAN4 and record["in_sync"] and record["by"] == "node1"
    for standby in (second, third):
        assert standby.restarts() == 0
    assert {e["name"] for e in box.log() if e["name"].startswith("gandi")} == {"gandi"}


def test_the_news_reaches_all_within_a_tenth_of_a_second(cluster, three, box):
    for address in (NEW4, NEWER4):
        before = cluster.puts()
        seen = {}

        def look(instance, address=address, seen=seen):
            while not instance.shows(address):
                time.sleep(0.002)
            seen[instance.node] = time.monotonic()

        threads = [threading.Thread(target=look, args=(i,), daemon=True) for i in three]
        for thread in threads:
            thread.start()
        box.set_wan(address)
        three[0].detect()
        wait_for(lambda: len(seen) == 3, f"all show {address}", evidence=cluster.evidence)
        cluster.wait_record(address)
        for instance in three:
            instance.wait_in_sync()
        assert cluster.puts() == before + 1
        spread = max(seen.values()) - min(seen.values())
        print(f"spread: {spread * 1000:.0f} ms")
        assert spread < SPREAD, seen


def test_kubectl_shows_the_contract(three, plane):
    text = plane.kubectl("get", "configmap", "esddns-wan-ip", "-o", "yaml")
    for key in ("current_ip: 198.20.0.7", "detected_at: ", "timestamp: ", "epoch: ",
                "sequence: ", "holder: node1_", "record.example.com.A: "):
        assert f"\n  {key}" in text, text
    assert three[0].leads()


def test_each_follower_says_who_leads(cluster, three):
    """In esddnsctl status too, also after another one leads."""
    def named(node, among):
        said = [next(u for u in i.state()["units"] if u["name"] == "detector")["status"]
                for i in among]
        return all(s.startswith("standing by: ") and node in s for s in said)

    first, *others = three
    wait_for(lambda: named(first.node, others), "both name the first", evidence=cluster.evidence)
    first.stop()
    leader = cluster.wait_leader(others)
    follower = next(i for i in others if i is not leader)
    wait_for(lambda: named(leader.node, [follower]), "the third names the second",
             evidence=cluster.evidence)
