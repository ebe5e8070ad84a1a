"""What visitors may do to webd: nothing that harms it, or others."""

import contextlib
import http.client
import os
import socket
import time

import pytest

import esddns
import webclient
from waiting import wait_for

PATHS = ("/", "/raw", "/api/v1/state", "/metrics", "/healthz", "/readyz", "/style.css", "/page.js",
         "/icon.svg")
NEW4 = "198.20.0.99"


def status_of(answer):
    """The status of the first response in raw bytes, or None if there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else None


def connect(port, source="127.0.0.1"):
    """All of 127/8 is this host: each source is a visitor of its own."""
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))


def fd_count(system):
    return len(os.listdir(f"/proc/{system.pid_of('webd')}/fd"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO"])
def test_only_get_and_head_are_answered(steady, method):
    for path in ("/", "/raw", "/nowhere"):
        answer = steady.ask(path, method=method)
        assert answer.status == 405
        assert {m.strip() for m in answer.headers["Allow"].split(",")} == {"GET", "HEAD"}


def test_head_is_get_without_a_body(steady):
    for path in PATHS:
        get, head = steady.ask(path), steady.ask(path, method="HEAD")
        assert get.status == head.status == 200, path
        assert head.body == b"" and get.body
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        assert head.headers["Content-Length"]


def test_headers_that_protect_visitors(steady):
    for path in (*PATHS, "/nowhere"):
        headers = steady.ask(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"], path
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, path
        assert "Server" not in headers, path
    for path in ("/", "/raw", "/api/v1/state", "/metrics", "/healthz"):
        assert "no-store" in steady.ask(path).headers["Cache-Control"], path
    page = steady.ask("/").text
    assert " style=" not in page and "<script>" not in page and " onclick=" not in page


def test_what_is_not_there_is_404_and_not_repeated(steady):
    for path in ("/nowhere", "/raw/", "/../etc/passwd", "/%2e%2e/etc/passwd",
                 "/<script>alert(1)</script>"):
        answer = webclient.ask_raw(steady.port, f"GET {path} HTTP/1.1\r\nHost: x\r\n"
                                                 "Connection: close\r\n\r\n".encode())
        assert status_of(answer) in (400, 404), path
        assert b"alert(1)" not in answer and b"passwd" not in answer


def test_a_body_is_refused(steady):
    for headers in ("Content-Length: 5\r\n\r\nhello", "Content-Length: 99999999999\r\n\r\n",
                    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"):
        answer = webclient.ask_raw(steady.port, f"GET / HTTP/1.1\r\nHost: x\r\n"
                                                 f"Connection: close\r\n{headers}".encode())
        assert status_of(answer) == 413, headers


@pytest.mark.parametrize("request_bytes", [
    b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(5000)) + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * 5000 + b"\r\n\r\n",
], ids=["uri", "header", "headers", "cookies"])
def test_large_requests_are_refused(steady, request_bytes):
    status = status_of(webclient.ask_raw(steady.port, request_bytes))
    assert status in (None, 400, 413, 414, 431), status
    assert steady.ask("/raw").status == 200


MALFORMED = {
    "newlines": b"\r\n\r\n\r\n", "zeros": b"\0" * 1000,
    "tls": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"x" * 500, "short": b"GET\r\n\r\n",
    "version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "proxy": b"GET http://other/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "length": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "folded": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests_harm_nothing(steady, name):
    """Whatever is answered, it is no failure of webd, and the next visitor is served."""
    with connect(steady.port) as sock:
        sock.sendall(MALFORMED[name])
        sock.settimeout(1)
        try:
            answer = sock.recv(65536)
        except (TimeoutError, ConnectionError):
            answer = b""        # it waits for more, or has closed
        assert status_of(answer) in (None, 200, 400, 404, 413, 505), answer
        assert steady.ask("/raw").status == 200
    assert next(u["restarts"] for u in steady.state()["units"] if u["name"] == "webd") == 0


def test_connections_are_kept_and_requests_may_follow_at_once(steady):
    connection = http.client.HTTPConnection("127.0.0.1", steady.port, timeout=10)
    for path in PATHS:
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200 and response.read()
    connection.close()
    answer = webclient.ask_raw(steady.port, b"GET /raw HTTP/1.1\r\nHost: x\r\n\r\n"
                                             b"GET /raw HTTP/1.1\r\nHost: x\r\n"
                                             b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_one_visitor_cannot_take_all_connections(box, launch):
    system = launch(esddns.config_for(box, webd={"max_connections": 32}))
    system.wait_in_sync()
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            with contextlib.suppress(OSError):
                stack.enter_context(connect(system.port, "127.0.0.2"))
        started = time.monotonic()
        with connect(system.port, "127.0.0.3") as sock:
            sock.sendall(b"GET /raw HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert status_of(sock.recv(65536)) == 200
        assert system.metrics().value("esddns_state_in_sync", domain="example.com") == 1
        assert time.monotonic() - started < 8       # idle ones are closed after 15 s
        # nor can many together grow it without a bound, nor starve metrics and probes
        for i in range(200):
            with contextlib.suppress(OSError):
                stack.enter_context(connect(system.port, f"127.0.1.{i}"))
        assert fd_count(system) < 32 + 64 + 40
        assert webclient.ask(system.metrics_port, "/healthz").status == 200
    wait_for(lambda: system.ask("/raw").status == 200, "it serves again", 10)
    assert all(u["restarts"] == 0 for u in system.state()["units"])


def test_visitors_leave_descriptors_for_probes(box, launch):
    """Where the process may open fewer files than max_connections (1024), as under ulimit."""
    system = launch(esddns.config_for(box), wrap=["prlimit", "--nofile=160:160"])
    system.wait_in_sync()
    assert "fewer connections" in system.log_text()
    with contextlib.ExitStack() as stack:
        for i in range(300):
            with contextlib.suppress(OSError):
                stack.enter_context(connect(system.port, f"127.0.1.{i % 100 + 1}"))
        for _ in range(20):
            assert webclient.ask(system.metrics_port, "/healthz").status == 200
    wait_for(lambda: system.ask("/raw").status == 200, "it serves again", 10)
    assert "no connection can be taken" not in system.log_text()


def test_slow_visitors_are_cut_off_and_hold_up_nobody(steady):
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(steady.port)) for _ in range(20)]
        for sock in slow[:10]:
            sock.sendall(b"GET /raw HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        started = time.monotonic()
        assert steady.ask("/raw").status == 200
        assert time.monotonic() - started < 5       # slow ones are closed after 15 s

        def all_closed():
            assert time.monotonic() - started < 40
            for sock in list(slow):
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    try:
                        if sock.recv(4096) == b"":
                            slow.remove(sock)
                    except ConnectionError:
                        slow.remove(sock)
            return not slow

        wait_for(all_closed, "idle and slow connections are closed", 40)
        assert time.monotonic() - started > 5       # but not at once
    assert steady.ask("/raw").status == 200


def test_followers_are_bounded_and_the_rest_is_told(box, launch):
    system = launch(esddns.config_for(box, webd={"max_connections": 64}))
    system.wait_in_sync()
    with contextlib.ExitStack() as stack:
        streams = []

        def follow(source):
            sock = connect(system.port, source)
            sock.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            status = status_of(sock.recv(4096))
            if status == 200:
                streams.append(stack.enter_context(sock))
            else:
                sock.close()
            return status

        statuses = [follow(f"127.0.0.{2 + i % 4}") for i in range(24)]
        assert statuses[:16] == [200] * 16 and set(statuses[16:]) == {503}, statuses
        assert system.ask("/raw").status == 200
        streams.pop().close()
        # that one has gone is noticed when it is told something: the second beat fails
        wait_for(lambda: follow("127.0.0.9") == 200, "a place that became free is given", 25)


def test_a_follower_that_never_reads_holds_up_nobody(box, running):
    with connect(running.port) as deaf, webclient.EventStream(running.port) as events:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        first = events.next()
        assert first["event"] == "state"
        box.set_wan(NEW4)
        wait_for(lambda: (event := events.next(20)) and event["data"] != first["data"],
                 "news for the one that reads")
        running.wait_address(NEW4)
        assert running.ask("/raw").status == 200


def test_a_stream_says_something_in_time(steady):
    with webclient.EventStream(steady.port) as events:
        assert events.next()["event"] == "state"
        started = time.monotonic()
        events.next(20)
        assert time.monotonic() - started < 16


def test_visitors_cannot_grow_the_metrics(steady):
    for i in range(50):
        steady.ask(f"/nowhere{i}")
        webclient.ask(steady.port, "/", method=f"M{i}")
    shown = steady.metrics()
    labels = [have for have, _ in shown.samples("esddns_endpoint_requests_total")]
    assert len({have["endpoint"] for have in labels}) < 15
    assert len({have["method"] for have in labels}) <= 3
    assert shown.value("esddns_endpoint_requests_total", status="404") >= 50


def test_it_drains_before_it_stops(box, launch):
    system = launch(esddns.config_for(box, webd={"drain": "1500ms"}))
    system.wait_in_sync()
    assert system.ask("/readyz").status == 200
    system.send(15)
    wait_for(lambda: system.ask("/readyz").status == 503, "not ready any more", 5)
    assert system.ask("/raw").status == 200         # but serving
    assert system.wait() == 0
