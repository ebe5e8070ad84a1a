"""The provider cannot be reached: from one node, then from all. A claim is good for 30 s."""

import time

from cluster import NEW4, NEWER4
from waiting import stays, wait_for

CLAIM_SECONDS, RECOVERY_SECONDS = 30, 60
ONE_WRITES_SECONDS = 90


def start_three_with_gates(cluster):
    """Each reaches the provider by a gate of its own; the first leads."""
    gates = []
    for number in (1, 2, 3):
        gate, provider = cluster.gandi_gate()
        gates.append(gate)
        cluster.start(number, provider=provider).wait_in_sync()
    assert cluster.leaders() == [cluster.all[0]]
    return gates


def from_the_leaders_node(cluster, gate):
    """Another writes; and all pages say which."""
    first = cluster.all[0]
    gate.shut("reset")
    started = time.monotonic()
    cluster.box.set_wan(NEW4)
    first.detect()
    cluster.wait_record(NEW4, ONE_WRITES_SECONDS)
    print(f"a backup wrote after {time.monotonic() - started:.1f} s")
    assert cluster.puts() == 2 and cluster.leaders() == [first]
    others = ("node2", "node3")
    for instance in cluster.all:
        instance.wait_state(lambda s: s["records"][0]["in_sync"] and
                            s["records"][0]["by"] in others, "it shows who wrote")
        wait_for(lambda i=instance: "written instead of node1, which failed" in i.page().text,
                 "the page says who and why", evidence=cluster.evidence)
    assert first.log_lines("could not be read at localhost"), "the log says why"
    stays(lambda: cluster.record() == [NEW4], "it is let be", 1)
    assert cluster.puts() == 2


def watch_attempts(cluster, gates):
    """Until two nodes have tried in vain: the most requests that were under way at a time."""
    made = [g.made for g in gates]
    most, end = 0, time.monotonic() + 3 * CLAIM_SECONDS
    while sum(g.made > m for g, m in zip(gates, made)) < 2:
        most = max(most, sum(g.waiting() for g in gates))
        assert time.monotonic() < end, cluster.evidence()
        time.sleep(0.01)
    return most


def test_the_provider_cannot_be_reached(cluster):
    gates = start_three_with_gates(cluster)
    from_the_leaders_node(cluster, gates[0])
    for gate in gates:
        gate.shut("silent")
    cluster.box.set_wan(NEWER4)
    cluster.all[0].detect()
    most = watch_attempts(cluster, gates)
    assert most == 1, f"{most} requests to the provider at a time"
    assert cluster.puts() == 2
    for gate in gates:
        gate.open()
    opened = time.monotonic()
    cluster.wait_record(NEWER4, RECOVERY_SECONDS)
    print(f"right {time.monotonic() - opened:.1f} s after the provider is back")
    for instance in cluster.all:
        instance.wait_in_sync(RECOVERY_SECONDS)
        assert instance.restarts() == 0
    assert cluster.puts() == 3
