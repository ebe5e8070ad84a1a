"""What the provider does, and what people do there: drift, refusals, limits, outages."""

import json
import os
import signal
import time

import pytest

import client
import esddns
from conftest import WAN4, launching
from esddns import tells
from waiting import stays, wait_for

NEW4, NEWER4 = "198.20.0.99", "198.20.0.100"
HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
TTL_REFUSAL = json.dumps({"status": "error", "errors": [
    {"location": "body", "name": "rrset_ttl",
     "description": "300 is less than minimum value 600"}]})


def apex(box):
    return box.rrset("example.com", "@", "A")


def assert_attention(system, kind, *words):
    """One sentence: in the API, on the page, in the log once; a metric; nothing restarts."""
    state = system.wait_state(lambda s: s["records"][0]["state"] == "attention",
                              "the record needs a person")
    pids = system.units()
    record = state["records"][0]
    assert record["error_type"] == kind
    sentence = record["error"]
    assert sentence and all(word in sentence for word in words), sentence
    assert record["in_sync"] is False and state["verdict"]["level"] == "bad"
    assert tells(state["verdict"]["detail"], sentence) and tells(system.page().text, sentence)
    lines = system.wait_log(json.dumps(sentence)[1:-1])
    assert len(lines) == 1 and lines[0].unit == "updater" and lines[0].level in ("error", "warn")
    assert system.metric("esddns_record_needs_attention", domain=record["fqdn"]) == 1
    assert system.metric("esddns_dns_update_failures_total", domain=record["fqdn"],
                         error_type=kind) >= 1
    assert system.ask("/healthz").status == 200
    assert system.units() == pids
    assert all(u["restarts"] == 0 for u in system.state()["units"])
    return sentence


def assert_recovered(system, pids, limit=80):
    system.wait_in_sync(limit)
    assert system.units() == pids
    assert system.metric("esddns_record_needs_attention", domain="example.com") == 0
    assert system.state()["records"][0]["error"] == ""


@pytest.fixture(scope="module", name="cured", autouse=True)
def fixture_cured():
    """Two systems that were refused, and whose cause was cured without their being told.

    The slow retry takes most of a minute: they wait for it while the other tests run.
    """
    with client.Sandbox() as box, launching() as launch:
        box.call("PUT", "/gandi/forbid", {"methods": ["PUT"]})
        forbidden = launch(esddns.config_for(box))
        unknown = launch(esddns.config_for(box, records=[
            {"zone": "home.example.com", "name": "@", "type": "A", "ttl": 300}]))
        assert_attention(forbidden, "forbidden", "403", "example.com")
        assert_attention(unknown, "unknown-zone", "404", "home.example.com", "subdomain")
        assert box.counts()["gandi.PUT"] == 1
        pids = forbidden.units(), unknown.units()
        box.call("PUT", "/gandi/forbid", {"methods": []})
        box.call("PUT", "/zones/home.example.com", "")
        yield box, forbidden, unknown, pids


def test_a_record_edited_by_hand_is_repaired_at_the_next_check(box, launch):
    before = box.zone()
    system = launch(esddns.config_for(box, updater={"interval": "2s"}))
    system.wait_in_sync()
    for values, ttl in (["198.20.0.66"], 300), ([WAN4, "198.20.0.66"], 300), ([WAN4], 1800):
        writes = box.counts()["gandi.PUT"]
        box.edit("example.com", "@", "A", values, ttl)
        wait_for(lambda: apex(box)["rrset_values"] == [WAN4] and apex(box)["rrset_ttl"] == 300,
                 f"the repair of {values} with TTL {ttl}", 10, system.evidence)
        assert box.counts()["gandi.PUT"] == writes + 1
    box.erase("example.com", "@", "A")
    wait_for(lambda: apex(box), "the erased record is made again", 10, system.evidence)
    system.wait_in_sync()
    assert [r for r in box.zone() if (r["rrset_name"], r["rrset_type"]) != ("@", "A")] == before
    assert box.counts()["gandi.DELETE"] == box.counts()["gandi.POST"] == 0


def test_a_record_that_is_right_is_left_alone(box, launch):
    box.edit("example.com", "@", "A", [WAN4])
    system = launch(esddns.config_for(box, updater={"interval": "1s"}))
    system.wait_in_sync()
    reads = box.counts()["gandi.GET"]
    wait_for(lambda: box.counts()["gandi.GET"] >= reads + 3, "three more checks")
    assert box.counts()["gandi.PUT"] == 0


def test_every_write_is_read_back(box, running):
    methods = [e["method"] for e in box.log("gandi")]
    put = methods.index("PUT")
    assert methods[put - 1] == "GET" and methods[put + 1] == "GET"


def test_a_refused_token_is_told_and_replaced_without_a_restart(box, launch):
    """401; the token comes from a file, as provider.token_file says."""
    config = esddns.config_for(box)
    system = launch(config, start=False, environment={})
    token = system.directory / "token"
    token.write_text("expired-token\n")
    token.chmod(0o600)
    system.write_config(provider={"token_file": str(token)})
    system.start()
    assert_attention(system, "unauthorized", "401", str(token))
    assert apex(box) is None
    pids = system.units()
    fresh = system.directory / "token.new"
    fresh.write_text("  sandbox-token \n")
    os.rename(fresh, token)
    assert_recovered(system, pids, 20)
    for value in ("expired-token", "sandbox-token"):
        assert value not in system.log_text()


def test_a_ttl_that_the_server_refuses_is_told_in_its_words(box, launch):
    box.fault("gandi", mode="answer", status=400, body=TTL_REFUSAL, methods=["PUT"],
              headers={"Content-Type": "application/json; charset=UTF-8"})
    system = launch(esddns.config_for(box))
    assert_attention(system, "invalid", "400", "rrset_ttl",
                     "300 is less than minimum value 600")
    pids = system.units()
    # the cure: a person reads the sentence and corrects the file
    box.heal("gandi")
    system.write_config(records=[{"zone": "example.com", "name": "@", "type": "A", "ttl": 600}])
    system.send(signal.SIGHUP)
    assert_recovered(system, pids, 20)
    assert apex(box)["rrset_ttl"] == 600


def test_too_many_requests_are_answered_by_waiting(box, launch):
    """429 with Retry-After: no request before it is over."""
    box.fault("gandi", mode="answer", status=429, headers={"Retry-After": "4"}, times=1,
              methods=["PUT"])
    system = launch(esddns.config_for(box, updater={"interval": "1s"}))
    system.wait_state(lambda s: "429" in s["records"][0]["error"], "the sentence about 429")
    assert system.state()["records"][0]["state"] == "retrying"
    system.wait_in_sync()
    log = box.log("gandi")
    refused = next(i for i, e in enumerate(log) if e["status"] == 429)
    assert log[refused + 1]["time"] - log[refused]["time"] >= 4
    assert system.log_lines("429") and not system.log_lines("restart")


def test_a_limit_is_told_once_and_holds_for_all_records(box, launch):
    """429 is about the address that asks, not about one record."""
    box.fault("gandi", mode="answer", status=429, headers={"Retry-After": "4"}, times=4)
    system = launch(esddns.config_for(box, records=[
        {"zone": "example.com", "name": f"host{i}", "type": "A", "ttl": 300} for i in range(20)]))
    system.wait_in_sync(60)
    log = box.log("gandi")
    refused = [e["time"] for e in log if e["status"] == 429]
    # no more than were under way when the first refusal came
    assert len([e for e in log if e["time"] < refused[0] + 4]) <= 4
    assert all(e["status"] != 429 for e in log[4:])


def test_a_write_that_lands_late_is_found_and_undone(box, launch):
    """The check after 5 s finds it, although the next regular one is far away."""
    system = launch(esddns.config_for(box, updater={"interval": "10min"}))
    system.wait_in_sync()
    box.fault("gandi", mode="late", seconds=4, times=1)
    box.set_wan(NEW4)
    wait_for(lambda: box.log("gandi")[-1]["fault"] == "late" or box.counts()["gandi.PUT"] > 1,
             "the write that is lost for now")
    box.set_wan(NEWER4)
    system.wait_address(NEWER4)
    system.wait_in_sync()
    wait_for(lambda: box.counts().get("gandi.late"), "the late write has happened")
    wait_for(lambda: apex(box)["rrset_values"] == [NEWER4], "it is undone", 10, system.evidence)
    system.wait_in_sync()


@pytest.mark.parametrize("fault", [
    {"mode": "answer", "status": 502, "body": HTML},
    {"mode": "answer", "status": 500, "body": ""},
    {"mode": "answer", "status": 200, "body": HTML},
    {"mode": "truncate"},
    {"mode": "close"},
    {"mode": "silent"},
], ids=["502-html", "500", "200-html", "truncate", "close", "silent"])
def test_an_outage_of_the_provider_passes(box, running, fault):
    pids = running.units()
    box.fault("gandi", **fault)
    box.set_wan(NEW4)
    running.wait_address(NEW4)
    state = running.wait_state(lambda s: s["records"][0]["state"] == "retrying" and
                               s["records"][0]["error"], "the failure is told")
    assert tells(running.page().text, state["records"][0]["error"])
    assert state["wan"]["ipv4"]["address"] == NEW4      # detection goes on
    box.heal("gandi")
    running.wait_in_sync()
    assert apex(box)["rrset_values"] == [NEW4]
    assert running.units() == pids


def test_observing_without_a_token_asks_the_provider_nothing(box, launch):
    system = launch(esddns.config_for(box, updater={"observe": True, "interval": "1s"}),
                    environment={})
    system.wait_address(WAN4)
    state = system.wait_state(lambda s: s["records"][0]["state"] == "observed", "it observes")
    assert state["settings"]["observe"] is True
    stays(lambda: not box.log("gandi"), "nothing is asked", 2)
    assert "observes" in system.page().text


def test_observing_with_a_token_reads_and_never_writes(box, launch):
    box.edit("example.com", "@", "A", ["198.20.0.66"])
    system = launch(esddns.config_for(box, updater={"observe": True, "interval": "1s"}))
    state = system.wait_state(lambda s: s["records"][0]["state"] == "observed" and
                              s["records"][0]["values"], "it is read")
    assert state["records"][0]["values"] == ["198.20.0.66"]
    assert state["records"][0]["in_sync"] is False
    reads = box.counts()["gandi.GET"]
    wait_for(lambda: box.counts()["gandi.GET"] > reads + 1, "more checks")
    assert box.counts()["gandi.PUT"] == 0 and apex(box)["rrset_values"] == ["198.20.0.66"]


def test_a_dry_run_logs_what_it_would_write(box, launch):
    system = launch(esddns.config_for(box, updater={"dry_run": True, "interval": "1s"}))
    system.wait_state(lambda s: s["records"][0]["state"] == "observed", "it is compared")
    lines = system.wait_log("would", "example.com", WAN4)
    reads = box.counts()["gandi.GET"]
    wait_for(lambda: box.counts()["gandi.GET"] > reads + 1, "more checks")
    assert len(system.log_lines("would", "example.com", WAN4)) == len(lines) == 1
    assert box.counts()["gandi.PUT"] == 0 and apex(box) is None
    assert "ry run" in system.page().text


def test_the_system_never_asks_more_than_the_provider_allows(box, launch):
    """Sixty records, all new: one read, one write, one read each, and no refusal for haste."""
    system = launch(esddns.config_for(box, records=[
        {"zone": "example.com", "name": f"host{i}", "type": "A", "ttl": 300} for i in range(60)]))
    started = time.monotonic()
    system.wait_in_sync(60)
    print(f"60 records took {time.monotonic() - started:.1f} s")
    assert box.counts()["gandi.PUT"] == 60
    assert all(e["status"] in (200, 201, 404) for e in box.log("gandi"))
    assert {r["name"] for r in system.state()["records"]} == {f"host{i}" for i in range(60)}


def test_refusals_that_are_cured_at_the_provider_need_no_restart(cured):
    """403 and an unknown zone: found by the slow retry, which is why this test is the last."""
    box, forbidden, unknown, pids = cured
    forbidden.wait_in_sync(80)
    unknown.wait_in_sync(80)
    assert (forbidden.units(), unknown.units()) == pids
    assert box.rrset("home.example.com", "@", "A")["rrset_values"] == [WAN4]
    assert apex(box)["rrset_values"] == [WAN4]
    for system, domain in (forbidden, "example.com"), (unknown, "home.example.com"):
        assert system.metric("esddns_record_needs_attention", domain=domain) == 0
