"""Secrets that come later than the pods that mount them, are replaced, or go: files, to a pod."""

import secrets

import esddns
from cluster import NEW4, WAN4
from waiting import wait_for


def put(file, text):
    """As the kubelet does it: the file is swapped."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def without_token(cluster, number, file):
    """An instance whose token is a file's alone, as a Secret's that a pod mounts."""
    one = cluster.start(number, start=False, provider={"token_file": str(file)})
    del one.environment["GANDI_API_KEY"]
    return one.start()


def test_a_token_that_comes_later_and_is_replaced(cluster, box, tmp_path):
    file = tmp_path / "api-key"
    one = without_token(cluster, 1, file)
    state = one.wait_state(lambda s: s["records"] and s["records"][0]["state"] == "attention",
                           "the record waits for a token")
    assert str(file) in state["records"][0]["error"], state["records"]
    one.wait_shows(WAN4)
    assert one.ask("/readyz").status == 200 and one.ask("/healthz").status == 200
    assert cluster.record() is None
    pids = one.units()
    put(file, esddns.TOKEN)
    one.wait_in_sync(60)        # the claim under which it failed has to end first: 30 s
    assert cluster.record() == [WAN4]
    box.call("PUT", "/gandi/token", {"bearer": "another-token", "apikey": None})
    try:
        put(file, "another-token\n")
        box.set_wan(NEW4)
        one.detect()
        cluster.wait_record(NEW4)
    finally:
        box.call("PUT", "/gandi/token", {"bearer": esddns.TOKEN, "apikey": "sandbox-apikey"})
    assert one.units() == pids and one.restarts() == 0
    file.unlink()
    assert len([w for w in one.log_lines("configuration") if w["level"] == "warn"]) == 1


def unauthentic(instance):
    try:
        return instance.metric("esddns_messages_dropped_total", reason="unauthentic")
    except KeyError:
        return 0


def hears_alone(cluster, leader, follower):
    """News reaches a follower whose way to the API server is silent."""
    address = cluster.next_address()
    follower.proxy.silence()
    try:
        cluster.box.set_wan(address)
        leader.detect()
        follower.wait_shows(address)
    finally:
        follower.proxy.heal()
    cluster.wait_record(address)
    follower.wait_in_sync()


def test_a_peer_key_that_comes_later_and_is_replaced(cluster, plane, peer_key):
    key = peer_key.read_text()
    peer_key.unlink()
    try:
        first, second = cluster.start(1), None
        first.wait_in_sync()
        second = cluster.start(2)
        second.wait_in_sync()
        assert plane.wan()["publisher"] == ""
        for instance, words in ((first, "peers are not told; they follow the ConfigMap alone"),
                                (first, "cluster.peers.key_file"),
                                (second, "cluster.peers.key_file")):
            told = instance.log_lines(words)
            assert len(told) == 1 and str(peer_key) in told[0].text, instance.log_text()
        put(peer_key, key)
        second.wait_state(lambda s: s["cluster"]["connected"], "it hears the leader", 60)
        hears_alone(cluster, first, second)
        before = unauthentic(second)
        put(peer_key, secrets.token_hex(32))
        wait_for(lambda: unauthentic(second) > before, "the leader has the new key", 90,
                 cluster.evidence)
        peer_key.unlink()               # as between delete and create of the Secret
        wait_for(lambda: second.log_lines("the peer key stays what it was") or
                 unauthentic(second) == before + 1, "it goes on", 20, cluster.evidence)
        hears_alone(cluster, first, second)
    finally:
        put(peer_key, key)
    assert first.restarts() == 0 and second.restarts() == 0
