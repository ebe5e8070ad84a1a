"""Echo services, faults, the control API and the process itself.

Run all: /usr/bin/python3 -m pytest tests/sandbox
"""

import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest

import client
from asking import APEX, HOSTS, ROOT, WAN, ask, ask_tcp, ask_udp, connect, gandi, request_bytes

# Echo services

@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("host", HOSTS)
def test_every_operator_answers_the_address_of_the_connections_family(box, host, tls):
    for operator in box.state["operators"]:
        plain = ask(box, f"/{operator}/ip", host=host, tls=tls)
        assert (plain.status, plain.body.decode().rstrip("\n")) == (200, WAN[host])
        trace = ask(box, f"/{operator}/cdn-cgi/trace", host=host, tls=tls).body.decode()
        assert dict(line.split("=", 1) for line in trace.splitlines())["ip"] == WAN[host]
        assert ask(box, f"/{operator}/json", host=host, tls=tls).json == {"ip": WAN[host]}
    assert box.counts()["alpha"] == 3


def test_the_address_changes_per_family_and_can_be_taken_away(box):
    box.set_wan("198.20.0.8")
    assert ask(box, "/alpha/ip").body == b"198.20.0.8"
    assert box.call("GET", "/wan") == {"ipv4": "198.20.0.8", "ipv6": "2001:200::7"}
    box.call("PUT", "/wan/ipv4", "none")
    with pytest.raises(http.client.RemoteDisconnected):
        ask(box, "/alpha/ip")
    assert ask_tcp(box, request_bytes())[0] == b""
    assert ask_udp(box, request_bytes(), timeout=0.3)[0] is None
    assert gandi(box, "GET", ROOT).status == 200


def test_the_certificate_is_only_trusted_through_its_ca(box):
    with pytest.raises(ssl.SSLCertVerificationError):
        http.client.HTTPSConnection("localhost", box.state["ports"]["https"]).request("GET", "/")
    key = pathlib.Path(box.state["ca_file"]).with_name("server.key")
    assert key.stat().st_mode & 0o777 == 0o600
    assert not key.with_name("ca.key").exists()


def test_connections_are_numbered_and_reuse_shows(box):
    connection = connect(box)
    for _ in range(2):
        connection.request("GET", "/alpha/ip")
        connection.getresponse().read()
    connection.close()
    ask(box, "/alpha/ip")
    first, second, third = (entry["connection"] for entry in box.log("alpha"))
    assert first == second != third


@pytest.mark.parametrize("raw, status", [
    (b"GET /alpha/ip HTTP/1.1\r\n\r\n", 400),
    (b"GET alpha HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /alpha/ip HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
    (b"PUT /alpha/ip HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    (b"PUT /alpha/ip HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413),
    (b"PUT /alpha/ip HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    (b"GET /alpha/ip HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40000 + b"\r\n\r\n", 431),
    (b"POST /alpha/ip HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405),
    (b"GET /golf/ip HTTP/1.1\r\nHost: a\r\n\r\n", 404),
])
def test_malformed_requests_are_refused(box, raw, status):
    with socket.create_connection(("127.0.0.1", box.state["ports"]["http"]), timeout=3) as s:
        s.sendall(raw)
        assert s.recv(4096).startswith(f"HTTP/1.1 {status} ".encode())


# Faults over HTTP

def test_slow(box):
    box.fault("alpha", mode="slow", seconds=0.5)
    start = time.monotonic()
    assert ask(box, "/alpha/ip").status == 200
    assert time.monotonic() - start >= 0.5


def test_wrong_only_lies_about_its_own_family(box):
    box.fault("alpha", mode="wrong", address="203.0.113.66")
    assert ask(box, "/alpha/ip").body == b"203.0.113.66"
    if box.state["ipv6"]:
        assert ask(box, "/alpha/ip", host="::1").body == b"2001:200::7"
        box.fault("alpha", mode="wrong", address="203.0.113.66", family="ipv6")
        assert ask(box, "/alpha/json", host="::1").json == {"ip": "203.0.113.66"}
    assert ask(box, "/bravo/ip").body == b"198.20.0.7\n"


@pytest.mark.parametrize("tls", [False, True])
def test_close_and_silent(box, tls):
    box.fault("alpha", mode="close")
    with pytest.raises(http.client.RemoteDisconnected):
        ask(box, "/alpha/ip", tls=tls)
    box.fault("alpha", mode="silent")
    with pytest.raises(TimeoutError):
        ask(box, "/alpha/ip", tls=tls, timeout=0.5)
    box.heal("alpha")
    assert ask(box, "/alpha/ip", tls=tls).status == 200
    assert [(e["status"], e["fault"]) for e in box.log("alpha")] == [
        (None, "close"), (None, "silent"), (200, None)]


def test_truncate(box):
    box.fault("alpha", mode="truncate")
    with pytest.raises(http.client.IncompleteRead):
        ask(box, "/alpha/ip")
    box.fault("gandi", mode="truncate")
    with pytest.raises(http.client.IncompleteRead):
        gandi(box, "PUT", APEX, {"rrset_values": ["198.20.0.7"], "rrset_ttl": 300})
    assert box.rrset("example.com", "@", "A")["rrset_values"] == ["198.20.0.7"]


def test_answer_with_times_and_methods(box):
    box.fault("gandi", mode="answer", status=503, body="<html>busy</html>", times=1,
              headers={"Retry-After": "7"}, methods=["PUT"])
    assert gandi(box, "GET", APEX).status == 404
    body = {"rrset_values": ["198.20.0.7"], "rrset_ttl": 300}
    answer = gandi(box, "PUT", APEX, body)
    assert (answer.status, answer.body) == (503, b"<html>busy</html>")
    assert (answer.headers["retry-after"], answer.headers["content-type"]) == ("7", "text/html")
    assert box.call("GET", "/fault") == {}
    assert gandi(box, "PUT", APEX, body).status == 201


def test_drip(box):
    box.fault("alpha", mode="drip", seconds=0.005)
    with socket.create_connection(("127.0.0.1", box.state["ports"]["http"]), timeout=3) as s:
        s.sendall(b"GET /alpha/ip HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        parts = list(iter(lambda: s.recv(4096), b""))
    assert len(parts) > 20 and b"".join(parts).endswith(b"198.20.0.7")


def test_late_writes_land_after_the_connection_closed(box):
    box.fault("gandi", mode="late", seconds=4, times=1)
    assert gandi(box, "GET", APEX).status == 404
    with pytest.raises(http.client.RemoteDisconnected):
        gandi(box, "PUT", APEX, {"rrset_values": ["198.20.0.7"], "rrset_ttl": 300})
    assert gandi(box, "GET", APEX).status == 404
    end = time.monotonic() + 20
    while gandi(box, "GET", APEX).status == 404:
        assert time.monotonic() < end, "it never landed"
        time.sleep(0.02)
    assert gandi(box, "GET", APEX).json["rrset_values"] == ["198.20.0.7"]
    assert box.counts()["gandi.late"] == 1 and box.counts()["gandi.PUT"] == 1
    assert [e["status"] for e in box.log("gandi") if e["method"] == "PUT"] == [None, 201]


# The control API and the process

@pytest.mark.parametrize("method, path, body, status", [
    ("PUT", "/wan/ipv4", "2001:200::1", 400), ("PUT", "/wan/ipv4", "1.2.3", 400),
    ("PUT", "/wan/ipv5", "none", 400), ("PUT", "/fault/golf", {"mode": "close"}, 400),
    ("PUT", "/fault/alpha", {"mode": "late", "seconds": 1}, 400),
    ("PUT", "/fault/alpha", {"mode": "slow"}, 400),
    ("PUT", "/fault/alpha", {"mode": "close", "sedonds": 1}, 400),
    ("PUT", "/fault/alpha", {"mode": "close", "times": 0}, 400),
    ("PUT", "/fault/alpha", {"mode": "answer", "status": 99}, 400),
    ("PUT", "/fault/alpha", {"mode": "answer", "status": 200, "headers": {"A": "b\r\nC: d"}}, 400),
    ("PUT", "/fault/gandi", {"mode": "wrong", "address": "1.1.1.1"}, 400),
    ("PUT", "/fault/stun1", {"mode": "raw", "hex": "xy"}, 400), ("PUT", "/fault/alpha", "{", 400),
    ("PUT", "/gandi/token", {"basic": "x"}, 400), ("PUT", "/gandi/forbid", {}, 400),
    ("PUT", "/zones/Example.org", "", 400), ("PUT", "/zone/example.net/@/A", {}, 404),
    ("GET", "/nothing", None, 404), ("POST", "/wan", "", 405),
    ("GET", "/zone/example.com/@", None, 404)])
def test_control_refuses_nonsense(box, method, path, body, status):
    with pytest.raises(client.ControlError) as caught:
        box.call(method, path, body)
    assert caught.value.status == status and len(str(caught.value)) > 10
    assert box.call("GET", "/fault") == {}


def test_control_is_for_loopback_names_only(box):
    port = box.state["ports"]["control"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    connection.request("GET", "/log", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 403
    connection.close()
    connection = http.client.HTTPConnection("localhost", port, timeout=3)
    connection.request("GET", "/")
    assert "curl" in connection.getresponse().read().decode()
    connection.close()


def test_the_log_is_bounded_and_can_be_cleared(box):
    connection = connect(box)
    for _ in range(1005):
        connection.request("GET", "/alpha/ip")
        connection.getresponse().read()
    connection.close()
    assert len(box.log()) == 1000 and box.counts()["alpha"] == 1005
    box.clear_log()
    assert box.log() == [] and set(box.counts().values()) == {0}


def test_chosen_ports_options_and_exit():
    with client.Sandbox() as first:
        ports = first.state["ports"]
        first_state = first.state_file
        assert first.stop() == 0 and not first_state.exists()
    options = ["--http", str(ports["http"]), "--wan4", "198.20.0.99", "--wan6", "none",
               "--zone", "a.example", "--zone", "b.example", "--token", "t"]
    with client.Sandbox(*options) as box:
        assert box.state["ports"]["http"] == ports["http"]
        assert box.call("GET", "/wan") == {"ipv4": "198.20.0.99", "ipv6": None}
        answer = ask(box, ROOT, headers={"Authorization": "Bearer t"})
        assert [d["fqdn"] for d in answer.json] == ["a.example", "b.example"]
        result = subprocess.run([sys.executable, str(client.PROGRAM), "--http", str(ports["http"])],
                                capture_output=True, text=True, timeout=20, check=False)
        assert result.returncode == 1 and f"port {ports['http']}" in result.stderr


def test_the_certificate_is_reused(tmp_path):
    ca = []
    for _ in range(2):
        with client.Sandbox("--tls-dir", str(tmp_path)) as box:
            ca.append(pathlib.Path(box.state["ca_file"]).read_bytes())
    assert ca[0] == ca[1]


def test_it_ends_with_its_parent(tmp_path):
    state = tmp_path / "state.json"
    script = (f"import subprocess, sys, time\n"
              f"subprocess.Popen([sys.executable, {str(client.PROGRAM)!r}, '--quiet', "
              f"'--with-parent', '--state-file', {str(state)!r}])\ntime.sleep(60)\n")
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        try:
            wait_until(state.exists)
            pid = json.loads(state.read_text(encoding="utf-8"))["pid"]
            os.kill(pid, 0)
        finally:
            parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not state.exists())


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "not within ten seconds"
        time.sleep(0.02)
