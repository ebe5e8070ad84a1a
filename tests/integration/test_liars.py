"""Sources that lie, fail or flap: no wrong address is ever published."""

import pytest

import esddns
from conftest import WAN4
from esddns import tells, vote
from waiting import stays, wait_for

NEW4 = "198.20.0.99"
LIES = ("198.20.0.66", "198.20.0.67", "198.20.0.68")
ALL = ("alpha", "bravo", "charlie", "stun1", "stun2")
HTML = "<!DOCTYPE html><html><body>Your address is 198.20.0.66</body></html>"


def fail_all(box, names=ALL, **fault):
    """The fault for each, or what comes nearest over STUN."""
    for name in names:
        if name.startswith("stun") and fault["mode"] == "answer":
            box.fault(name, mode="error", code=500)
        else:
            box.fault(name, **fault)


def next_round(box, system):
    """Asks for a round and waits until it has ended."""
    before = system.state()["wan"]["ipv4"]["checked_at"], box.counts()["alpha"]
    system.detect()
    return system.wait_state(
        lambda s: s["wan"]["ipv4"]["checked_at"] != before[0] and
        box.counts()["alpha"] > before[1], "another round has ended")


def assert_held(box, system, writes):
    """The old address stays, nothing is written, and the reason is shown."""
    state = system.wait_state(lambda s: s["wan"]["ipv4"]["state"] == "held", "the address is held")
    assert state["wan"]["ipv4"]["address"] == WAN4
    reason = state["wan"]["ipv4"]["reason"]
    assert WAN4 in reason and "stays" in reason, reason
    assert tells(state["verdict"]["detail"], reason) and tells(system.page().text, reason)
    assert system.log_lines(reason.partition(";")[0]), reason
    assert box.rrset("example.com", "@", "A")["rrset_values"] == [WAN4]
    assert box.counts()["gandi.PUT"] == writes
    assert system.raw()["wan_ip_state"]["IP"] == WAN4
    return state


@pytest.mark.parametrize("liars", [("alpha",), ("stun2",), ("bravo", "charlie"),
                                   ("alpha", "stun1"), ("stun1", "stun2")])
def test_a_minority_that_lies_is_outvoted_and_named(box, launch, liars):
    for liar, lie in zip(liars, LIES):
        box.fault(liar, mode="wrong", address=lie)
    system = launch(esddns.config_for(box))
    state = system.wait_address(WAN4)
    system.wait_state(lambda s: s["records"][0]["in_sync"], "the record is in sync")
    assert box.rrset("example.com", "@", "A")["rrset_values"] == [WAN4]
    assert state["wan"]["ipv4"]["agreed"] == 5 - len(liars)
    for liar, lie in zip(liars, LIES):
        assert vote(state, liar)["answer"] == lie and not vote(state, liar)["agrees"]
        assert system.wait_log(liar, lie)
        assert f"{liar}" in system.page().text and lie in system.page().text
        wait_for(lambda: system.metric("esddns_wan_ip_disagreements_total", service=liar) >= 1,
                 "the liar is in the metrics")
    for honest in set(ALL) - set(liars):
        assert vote(state, honest)["agrees"]
        assert system.metric("esddns_wan_ip_disagreements_total", service=honest) == 0


def test_two_that_lie_alike_do_not_win(box, running):
    writes = box.counts()["gandi.PUT"]
    for liar in ("alpha", "stun1"):
        box.fault(liar, mode="wrong", address=LIES[0])
    for _ in range(2):
        state = next_round(box, running)
        assert state["wan"]["ipv4"]["address"] == WAN4
    assert state["wan"]["ipv4"]["state"] == "agreed" and state["wan"]["ipv4"]["agreed"] == 3
    assert box.counts()["gandi.PUT"] == writes


def test_two_liars_do_not_win_because_three_honest_ones_are_silent(box, running):
    writes = box.counts()["gandi.PUT"]
    for liar in ("alpha", "bravo"):
        box.fault(liar, mode="wrong", address=LIES[0])
    fail_all(box, ("charlie", "stun1", "stun2"), mode="silent")
    next_round(box, running)
    state = assert_held(box, running, writes)
    assert state["wan"]["ipv4"]["asked"] == 5


def test_three_that_lie_differently_change_nothing(box, running):
    writes = box.counts()["gandi.PUT"]
    for liar, lie in zip(("alpha", "bravo", "charlie"), LIES):
        box.fault(liar, mode="wrong", address=lie)
    next_round(box, running)
    state = assert_held(box, running, writes)
    for liar, lie in zip(("alpha", "bravo", "charlie"), LIES):
        assert vote(state, liar)["answer"] == lie
    box.heal()
    next_round(box, running)
    running.wait_in_sync()


@pytest.mark.parametrize("fault", [
    {"mode": "answer", "status": 200, "body": HTML},
    {"mode": "answer", "status": 503, "body": "Service 1.0.1.1 unavailable"},
    {"mode": "answer", "status": 200, "body": "error"},
    {"mode": "answer", "status": 302, "headers": {"Location": "http://localhost/"}},
    {"mode": "silent"},
    {"mode": "close"},
    {"mode": "truncate"},
    {"mode": "drip", "seconds": 3},
], ids=["html", "503", "words", "redirect", "silent", "close", "truncate", "drip"])
def test_no_answer_keeps_the_old_address(box, running, fault):
    writes = box.counts()["gandi.PUT"]
    fail_all(box, **fault)
    box.set_wan(NEW4)
    next_round(box, running)
    state = assert_held(box, running, writes)
    assert state["wan"]["ipv4"]["answered"] == 0
    for name in ALL:
        assert vote(state, name)["answer"] is None and vote(state, name)["error"], name
        assert tells(running.page().text, vote(state, name)["error"])
        wait_for(lambda: running.metric("esddns_wan_ip_discovery_failures_total",
                                        service=name) >= 1, "failures are counted")
    box.heal()
    if fault["mode"] != "close":    # that one by itself: a failed round is repeated soon
        running.detect()
    running.wait_address(NEW4)
    running.wait_in_sync()


@pytest.mark.parametrize("address", ["10.0.0.1", "100.64.0.1", "192.0.0.11"])
def test_an_address_that_cannot_be_public_is_refused(box, running, address):
    writes = box.counts()["gandi.PUT"]
    box.set_wan(address)
    next_round(box, running)
    state = assert_held(box, running, writes)
    for name in ALL:
        assert address in (vote(state, name)["answer"] or vote(state, name)["error"])
        assert not vote(state, name)["agrees"]
    assert running.log_lines(address)


def test_a_refused_address_is_named_although_the_source_failed_before(box, running):
    fail_all(box, mode="answer", status=503, body="no")
    next_round(box, running)
    assert running.wait_log("source fails", "alpha", "503")
    box.heal()
    box.set_wan("100.64.0.1")
    next_round(box, running)
    for name in ALL:
        assert running.wait_log("source fails", name, "100.64.0.1", "shared address")


def test_what_cannot_be_public_is_not_published_at_the_start_either(box, launch):
    box.set_wan("10.0.0.1")
    system = launch(esddns.config_for(box))
    state = system.wait_state(lambda s: s["wan"]["ipv4"]["state"] == "held", "it is held")
    assert state["wan"]["ipv4"]["address"] is None and state["wan"]["ipv4"]["reason"]
    assert system.raw()["wan_ip_state"] == {"IP": {}, "usable": False}
    assert box.counts()["gandi.PUT"] == 0
    assert system.ask("/readyz").status == 200 or "known" in system.ask("/readyz").text


def test_allow_reserved_lifts_it_and_is_told(box, launch):
    box.set_wan("10.0.0.1")
    system = launch(esddns.config_for(box, detector={"allow_reserved": True}))
    system.wait_in_sync()
    assert box.rrset("example.com", "@", "A")["rrset_values"] == ["10.0.0.1"]
    assert system.log_lines("allow_reserved")


def test_a_kind_that_is_fooled_as_a_whole_changes_nothing(box, running):
    """Behind a transparent proxy all of HTTPS says one thing and all of STUN another."""
    writes = box.counts()["gandi.PUT"]
    for name in ("alpha", "bravo", "charlie"):
        box.fault(name, mode="wrong", address=LIES[0])
    next_round(box, running)
    state = assert_held(box, running, writes)
    assert "contradict" in state["wan"]["ipv4"]["reason"]


def test_an_address_that_flaps_is_damped(box, launch):
    """A, B, A are followed at once; the second reversal waits, and a round decides then."""
    system = launch(esddns.config_for(box, detector={"min_change_interval": "8s"}))
    system.wait_in_sync()
    box.set_wan(NEW4)
    system.wait_address(NEW4)
    box.set_wan(WAN4)
    system.wait_address(WAN4)
    system.wait_state(lambda s: s["records"][0]["in_sync"], "the single return is not delayed")
    box.set_wan(NEW4)
    state = system.wait_state(lambda s: s["wan"]["ipv4"]["state"] == "damped", "it is damped")
    assert state["wan"]["ipv4"]["address"] == WAN4 and state["wan"]["ipv4"]["reason"]
    assert tells(system.page().text, state["wan"]["ipv4"]["reason"])
    assert box.rrset("example.com", "@", "A")["rrset_values"] == [WAN4]
    system.wait_address(NEW4)       # decided when the interval has ended
    system.wait_in_sync()
    assert box.rrset("example.com", "@", "A")["rrset_values"] == [NEW4]


def test_a_change_that_is_not_confirmed_is_not_published(box, launch):
    """The sources agree on a wrong address for one round only."""
    system = launch(esddns.config_for(box, detector={"confirm": "2s", "tripwire": 0}))
    system.wait_in_sync()
    for name in ALL:
        box.fault(name, mode="wrong", address=LIES[0], times=1)
    system.detect()
    system.wait_state(lambda s: s["wan"]["ipv4"]["state"] == "confirming", "being confirmed")
    assert system.raw()["wan_ip_state"]["IP"] == WAN4
    system.wait_state(lambda s: s["wan"]["ipv4"]["state"] == "agreed", "agreed again")
    assert box.counts()["gandi.PUT"] == 1
    stays(lambda: box.counts()["gandi.PUT"] == 1 and
          system.state()["wan"]["ipv4"]["address"] == WAN4, "nothing is written", 1)


def test_a_tripwire_that_lies_does_not_start_rounds_for_ever(box, running):
    """One server that keeps deviating is left out for a time that doubles."""
    box.fault("stun1", mode="wrong", address=LIES[0])
    running.wait_log("stun1", LIES[0])
    before = box.counts()["alpha"]
    stays(lambda: box.counts()["alpha"] <= before + 4, "few rounds for one liar", 8)
    assert running.state()["wan"]["ipv4"]["address"] == WAN4


def test_a_kind_that_is_fooled_does_not_win_because_the_other_is_slow(box, launch):
    """The votes of HTTPS alone are a majority, and STUN answers after the round's grace."""
    system = launch(esddns.config_for(box, detector={"timeout": "6s", "tripwire": 0}))
    system.wait_in_sync()
    writes = box.counts()["gandi.PUT"]
    for name in ("alpha", "bravo", "charlie"):
        box.fault(name, mode="wrong", address=LIES[0])
    for name in ("stun1", "stun2"):
        box.fault(name, mode="slow", seconds=2)
    next_round(box, system)
    state = assert_held(box, system, writes)
    assert "contradict" in state["wan"]["ipv4"]["reason"]
