"""From the WAN address to the DNS record, and all that is shown of it."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

import esddns
import processes
import webclient
from conftest import WAN4, WAN6
from waiting import wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
NEW4, NEW6 = "198.20.0.99", "2001:200::99"
RAW = re.compile(
    r'\{"poll_date":"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",'
    r'"record_state":\{"in_sync":(?:true|false),"record_data":\{(?:"rrset_href":"[^"]*",'
    r'"rrset_name":"[^"]*","rrset_ttl":\d+,"rrset_type":"A{1,4}","rrset_values":\["[^"]*"\])?\}\},'
    r'"wan_ip_state":\{"IP":(?:\{\}|"[^"]*"),"usable":(?:true|false)\}\}\n')

COUNTERS = {
    "dns_updates": {"domain", "record_type"},
    "dns_update_failures": {"domain", "record_type", "error_type"},
    "wan_ip_changes": set(),
    "wan_ip_discovery_failures": {"service"},
    "endpoint_requests": {"method", "endpoint", "status"},
}
GAUGES = {
    "last_dns_update_timestamp": {"domain"},
    "current_wan_ip_info": {"ip_address"},
    "service_health": {"component"},
    "state_poll_timestamp": set(),
    "state_in_sync": {"domain"},
    "dns_record_ip_matches": {"domain"},
}
HISTOGRAMS = {
    "dns_update_duration_seconds": ({"domain"}, [.5, 1, 2, 5, 10, 30]),
    "wan_ip_discovery_duration_seconds": (set(), [.5, 1, 2, 5, 10]),
    "endpoint_request_duration_seconds": ({"method", "endpoint"}, [.01, .05, .1, .5, 1, 5]),
}


def others(box, zone, *own):
    """All record sets of a zone except those that the system keeps."""
    return [r for r in box.zone(zone) if (r["rrset_name"], r["rrset_type"]) not in own]


def test_a_new_record_is_created_and_shown(box, launch):
    before = box.zone()
    system = launch(esddns.config_for(box))
    system.wait_in_sync()
    record = box.rrset("example.com", "@", "A")
    assert record["rrset_values"] == [WAN4] and record["rrset_ttl"] == 300
    assert others(box, "example.com", ("@", "A")) == before
    assert box.counts()["gandi.PUT"] == 1
    assert box.counts()["gandi.POST"] == box.counts()["gandi.DELETE"] == 0

    page = system.page()
    assert page.title == "ESDDNS: all is well"
    for word in (WAN4, "example.com", "@", "A", "300", record["rrset_href"], "in sync",
                 "alpha", "bravo", "charlie", "stun1", "stun2"):
        assert word in page.text, word


def test_raw_has_the_exact_shape(steady):
    answer = steady.ask("/raw")
    assert answer.status == 200
    assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
    assert RAW.fullmatch(answer.text), answer.text
    record = answer.json["record_state"]
    assert record["in_sync"] is True
    assert record["record_data"]["rrset_values"] == [WAN4]
    assert record["record_data"]["rrset_name"] == "@"
    assert record["record_data"]["rrset_href"].endswith("/domains/example.com/records/%40/A")
    assert answer.json["wan_ip_state"] == {"IP": WAN4, "usable": True}


def test_raw_keeps_its_shape_while_nothing_is_known(box, launch):
    for name in ("alpha", "bravo", "charlie", "stun1", "stun2"):
        box.fault(name, mode="close")
    system = launch(esddns.config_for(box))
    system.wait_state(lambda s: s["wan"]["ipv4"]["state"] == "held", "a round without an answer")
    answer = system.ask("/raw")
    assert RAW.fullmatch(answer.text), answer.text
    assert answer.json["wan_ip_state"] == {"IP": {}, "usable": False}
    assert answer.json["record_state"]["in_sync"] is False
    assert box.counts()["gandi.PUT"] == 0
    assert system.ask("/healthz").status == 200


def test_the_api_tells_everything(steady):
    state = steady.state()
    assert state["wan"]["ipv4"]["address"] == WAN4
    assert state["wan"]["ipv4"]["asked"] == state["wan"]["ipv4"]["agreed"] == 5
    assert {v["operator"]: v["kind"] for v in state["wan"]["ipv4"]["votes"]} == {
        "alpha": "https", "bravo": "https", "charlie": "https", "stun1": "stun",
        "stun2": "stun-tcp"}
    assert all(v["agrees"] and v["answer"] == WAN4 for v in state["wan"]["ipv4"]["votes"])
    assert state["wan"]["epoch"] >= 1 and state["leader"]["role"] == "leader"
    assert {u["name"]: u["state"] for u in state["units"]} == dict.fromkeys(
        ("detector", "updater", "webd"), "active")
    assert {u["name"]: u["pid"] for u in state["units"]} == steady.units()


@pytest.mark.parametrize("openmetrics", [False, True])
def test_every_metric_of_the_contract_is_there(steady, openmetrics):
    steady.ask("/raw")
    shown = steady.metrics(openmetrics)
    for name, labels in COUNTERS.items():
        family = shown.families[f"esddns_{name}" + ("" if openmetrics else "_total")]
        assert family.type == "counter"
        check_labels(shown, f"esddns_{name}_total", labels)
    for name, labels in GAUGES.items():
        assert shown.families[f"esddns_{name}"].type == "gauge"
        check_labels(shown, f"esddns_{name}", labels)
    for name, (labels, buckets) in HISTOGRAMS.items():
        assert shown.families[f"esddns_{name}"].type == "histogram"
        check_labels(shown, f"esddns_{name}_count", labels)
        found = {float(have["le"]) for have, _ in shown.samples(f"esddns_{name}_bucket")
                 if have["le"] != "+Inf"}
        assert found == set(buckets), name
    assert shown.value("esddns_dns_updates_total", domain="example.com", record_type="A") == 1
    assert shown.value("esddns_state_in_sync", domain="example.com") == 1
    assert shown.value("esddns_dns_record_ip_matches", domain="example.com") == 1
    assert shown.samples("esddns_current_wan_ip_info") == [({"ip_address": WAN4}, 1)]
    for component in ("detector", "updater", "webd"):
        assert shown.value("esddns_service_health", component=component) == 1
    now = time.time()
    assert now - 60 < shown.value("esddns_state_poll_timestamp") <= now + 1
    updated = shown.value("esddns_last_dns_update_timestamp", domain="example.com")
    assert now - 60 < updated <= now + 1


def check_labels(shown, sample, labels):
    samples = shown.samples(sample)
    assert samples, sample
    assert all(set(have) == labels for have, _ in samples), (sample, samples)


def test_metrics_are_on_both_ports_and_probes_answer(steady):
    for port in (steady.port, steady.metrics_port):
        assert webclient.metrics(port).value("esddns_state_in_sync", domain="example.com") == 1
        assert webclient.ask(port, "/healthz").status == 200
        assert webclient.ask(port, "/readyz").status == 200
    assert webclient.ask(steady.metrics_port, "/").status == 404
    assert webclient.ask(steady.metrics_port, "/api/v1/state").status == 404


def test_a_change_reaches_zone_page_and_raw(box, running):
    """Within 20 s, and the page by /events: without a reload."""
    before = others(box, "example.com", ("@", "A"))
    with webclient.EventStream(running.port) as events:
        assert events.status == 200 and events.content_type.startswith("text/event-stream")
        shown = running.page().version
        started = time.monotonic()
        box.set_wan(NEW4)
        # what the page's script does: at each event of another version, fetch and replace
        while time.monotonic() < started + 20:
            event = events.next(20)
            if event is None or event.get("data") == shown:
                continue
            page = running.page()
            shown = page.version
            if f"points to {NEW4}" in page.text and WAN4 in page.text:
                break
        assert f"points to {NEW4}" in running.page().text
    assert running.raw()["wan_ip_state"] == {"IP": NEW4, "usable": True}
    assert running.raw()["record_state"]["record_data"]["rrset_values"] == [NEW4]
    assert box.rrset("example.com", "@", "A")["rrset_values"] == [NEW4]
    took = time.monotonic() - started
    assert took < 20
    print(f"the change took {took:.2f} s")
    assert others(box, "example.com", ("@", "A")) == before
    assert running.metrics().samples("esddns_current_wan_ip_info") == [({"ip_address": NEW4}, 1)]
    assert running.metric("esddns_wan_ip_changes_total") >= 1
    assert running.metric("esddns_dns_updates_total", domain="example.com") == 2
    assert [c["address"] for c in running.state()["wan"]["ipv4"]["changes"]] == [WAN4, NEW4]


def test_every_question_goes_over_a_new_connection(box, running):
    running.detect()
    wait_for(lambda: box.counts()["alpha"] >= 2, "a second round")
    for name in ("alpha", "bravo", "charlie", "stun2"):
        numbers = [e["connection"] for e in box.log(name) if e["transport"] in ("https", "tcp")]
        assert len(numbers) == len(set(numbers)), name
    peers = [e["peer"] for e in box.log("stun1")]
    assert len(peers) == len(set(peers))


def test_several_records_in_several_zones_and_both_families(box, launch):
    own = {"example.com": [("@", "A"), ("@", "AAAA"), ("home", "A"), ("*.lab", "A")],
           "example.org": [("@", "A"), ("vpn", "AAAA")]}
    before = {zone: others(box, zone, *keys) for zone, keys in own.items()}
    system = launch(esddns.config_for(box, records=[
        {"zone": zone, "name": name, "type": kind, "ttl": 600}
        for zone, keys in own.items() for name, kind in keys]))
    system.wait_in_sync()
    check_records(box, own, WAN4, WAN6)
    assert system.state()["wan"]["ipv6"]["address"] == WAN6
    page = system.page()
    for name in ("home.example.com", "*.lab.example.com", "vpn.example.org", WAN4, WAN6):
        assert name in page.text, name
    box.set_wan(NEW6)
    system.wait_address(NEW6)
    system.wait_in_sync()
    check_records(box, own, WAN4, NEW6)     # the families are independent
    box.set_wan(NEW4)
    system.wait_address(NEW4)
    system.wait_in_sync()
    check_records(box, own, NEW4, NEW6)
    for zone, keys in own.items():
        assert others(box, zone, *keys) == before[zone]
    bodies = [json.loads(e["body"]) for e in box.log("gandi") if e["method"] == "PUT"]
    assert all(type(b["rrset_ttl"]) is int and b["rrset_ttl"] == 600 for b in bodies)
    assert {e["path"] for e in box.log("gandi") if e["method"] == "PUT"} == {
        f"/v5/livedns/domains/{zone}/records/{name.replace('@', '%40').replace('*', '%2A')}/{kind}"
        for zone, keys in own.items() for name, kind in keys}


def check_records(box, own, ipv4, ipv6):
    for zone, keys in own.items():
        for name, kind in keys:
            record = box.rrset(zone, name, kind)
            expected = ipv4 if kind == "A" else ipv6
            assert record["rrset_values"] == [expected], (zone, name, kind, record)
            assert record["rrset_ttl"] == 600


def test_only_families_that_records_need_are_asked(steady_box, steady):
    assert {e["family"] for name in ("alpha", "bravo", "charlie", "stun1", "stun2")
            for e in steady_box.log(name)} == {"ipv4"}
    assert steady.state()["wan"]["ipv6"] is None or not steady.state()["wan"]["ipv6"]["wanted"]


def test_an_aaaa_record_alone(box, launch):
    system = launch(esddns.config_for(
        box, records=[{"zone": "example.com", "name": "six", "type": "AAAA", "ttl": 300}]))
    system.wait_in_sync()
    assert box.rrset("example.com", "six", "AAAA")["rrset_values"] == [WAN6]
    assert RAW.fullmatch(system.ask("/raw").text)
    assert system.raw()["wan_ip_state"] == {"IP": WAN6, "usable": True}


def test_the_last_address_outlives_a_restart(box, running):
    """And is not shown as fresh until a round agreed on it."""
    first = running.state()["wan"]
    code, _ = running.stop()
    assert code == 0
    for name in ("alpha", "bravo", "charlie"):
        box.fault(name, mode="close")
    running.start()
    state = running.wait_state(lambda s: s["wan"]["ipv4"]["state"] == "held", "a held address")
    assert state["wan"]["uid"] == first["uid"] and state["wan"]["epoch"] == first["epoch"] + 1
    assert state["wan"]["ipv4"]["address"] == WAN4
    assert state["wan"]["ipv4"]["detected_at"] == first["ipv4"]["detected_at"]
    box.heal()
    running.wait_in_sync()


def test_the_environment_alone_configures_it(box, launch):
    """The contract's variables, with a file that names no record."""
    config = esddns.config_for(box)
    del config["records"]
    system = launch(config, environment={
        "API_KEY": esddns.TOKEN, "TARGET_DOMAIN_FQDN": "example.com", "RECORD_NAME_ROOT": "env",
        "RECORD_TTL": "1800", "DNS_SYNC_INTERVAL": "20"})
    system.wait_in_sync()
    assert box.rrset("example.com", "env", "A")["rrset_ttl"] == 1800
    assert system.state()["settings"]["detector_interval_ms"] == 20000


def test_both_log_formats_and_the_api_key_scheme(box, launch):
    system = launch(esddns.config_for(box, log={"format": "json"}, provider={"auth": "apikey"}),
                    environment={"GANDI_API_KEY": "sandbox-apikey"})
    system.wait_in_sync()
    assert {e["auth"] for e in box.log("gandi")} == {"Apikey"}
    assert system.log() and all(e.text.startswith("{") for e in system.log())
    assert {e.unit for e in system.log()} >= {"supervisor", "detector", "updater"}


def quickstart_ports_are_free():
    for port in (*range(21380, 21386), 21388):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
    return True


def test_quickstart():
    """The command of the README: page, a change by the printed command, Ctrl-C ends everything."""
    wait_for(quickstart_ports_are_free, "the ports of quickstart's sandbox are free", 60)
    port, = esddns.free_ports(1)
    process = subprocess.Popen(["./quickstart", "--port", str(port)], cwd=TOP, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, start_new_session=True,
                               env={k: v for k, v in os.environ.items()
                                    if k not in ("GANDI_API_KEY", "API_KEY", "ESDDNS_BUILD")})
    os.set_blocking(process.stdout.fileno(), False)
    said = Output(process)
    try:
        def in_sync():
            said.read()
            assert process.poll() is None, f"quickstart ended\n{said.text}"
            return webclient.ask(port, "/raw").json["record_state"]["in_sync"]

        # it builds first, which takes a minute or two on a small machine
        wait_for(in_sync, "quickstart gets to a page with an in-sync record", 400,
                 lambda: said.read())
        assert f"http://127.0.0.1:{port}/" in said.read()
        command = re.search(r"curl -X PUT -d (\S+) (http://127\.0\.0\.1:\d+/wan/ipv4)", said.text)
        assert command, said.text
        page = webclient.ask(port, "/").text
        assert "198.20.0.7" in page and command[1] not in page
        started = time.monotonic()
        subprocess.run(command[0].split() + ["-sS"], check=True, stdout=subprocess.DEVNULL)
        zone = re.search(r"curl (http://127\.0\.0\.1:\d+/zone/example\.com)", said.text)[1]

        def changed():
            said.read()
            records = subprocess.run(["curl", "-sS", zone], check=True, capture_output=True).stdout
            return command[1] in webclient.ask(port, "/").text and any(
                r["rrset_values"] == [command[1]] for r in json.loads(records))

        wait_for(changed, "page and zone show the new address", 20, lambda: said.read())
        print(f"quickstart: the change took {time.monotonic() - started:.1f} s")
        children = session_of(process.pid)
        assert len(children) >= 5, children
        os.killpg(process.pid, signal.SIGINT)       # as Ctrl-C on a terminal does
        assert wait_for(lambda: said.read() and process.poll() is not None, "quickstart ends", 15,
                        lambda: said.read())
        assert process.returncode in (0, 130), process.returncode
        wait_for(lambda: not any(processes.is_alive(pid) for pid in children), "all ended", 5)
        wait_for(quickstart_ports_are_free, "the ports are free again", 5)
        assert "sandbox-token" not in said.text
    finally:
        for pid in session_of(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        print(said.text[-8000:])


def session_of(leader):
    """The process and its descendants; the workers have sessions of their own."""
    parents = {pid: found[2] for pid in processes.everyone() if (found := processes.stat(pid))}
    members = {leader}
    while more := {pid for pid, parent in parents.items() if parent in members} - members:
        members |= more
    return [pid for pid in members if processes.is_alive(pid)]


class Output:
    """What a process has said so far; its pipe never fills."""

    def __init__(self, process):
        self._process = process
        self.text = ""

    def read(self):
        try:
            while part := os.read(self._process.stdout.fileno(), 65536):
                self.text += part.decode(errors="backslashreplace")
        except BlockingIOError:
            pass
        return self.text


