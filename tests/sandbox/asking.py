"""How the tests ask the sandbox: plainly, from the standard library's clients."""

import http.client
import json
import pathlib
import socket
import ssl
import struct

import pytest

import stun

BEARER = {"Authorization": "Bearer sandbox-token"}
JSON = {"Content-Type": "application/json"}
ROOT = "/v5/livedns/domains"
APEX = f"{ROOT}/example.com/records/@/A"
WAN = {"127.0.0.1": "198.20.0.7", "::1": "2001:200::7"}

needs_ipv6 = pytest.mark.skipif(not pathlib.Path("/proc/net/if_inet6").exists(),
                                reason="no IPv6 here")
HOSTS = ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)]


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


def connect(box, host="127.0.0.1", tls=False, timeout=5):
    if not tls:
        return http.client.HTTPConnection(host, box.state["ports"]["http"], timeout=timeout)
    context = ssl.create_default_context(cafile=box.state["ca_file"])
    return http.client.HTTPSConnection(host, box.state["ports"]["https"], timeout=timeout,
                                       context=context)


def ask(box, path, method="GET", body=None, headers=None, **how):
    connection = connect(box, **how)
    try:
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def gandi(box, method, path, body=None, headers=None, **how):
    """One authorized call; a body goes as JSON."""
    headers = BEARER | (JSON if body is not None else {}) | (headers or {})
    return ask(box, path, method, None if body is None else json.dumps(body), headers, **how)


def request_bytes(attributes=b"", transaction=b"0123456789ab"):
    return stun.HEADER.pack(1, len(attributes), stun.COOKIE, transaction) + attributes


def ask_udp(box, data, host="127.0.0.1", name="stun1", timeout=2):
    """The answer to one datagram, or None; and the port it was sent from."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect((host, box.state["ports"][name]))
        s.send(data)
        try:
            return s.recv(2048), s.getsockname()[1]
        except TimeoutError:
            return None, s.getsockname()[1]


def ask_tcp(box, data, host="127.0.0.1", name="stun1"):
    """All bytes that come back until one message is whole or the server closes."""
    received = b""
    with socket.create_connection((host, box.state["ports"][name]), timeout=3) as s:
        for i in range(len(data)):
            s.send(data[i:i + 1])
        while len(received) < 20 or len(received) < 20 + struct.unpack_from("!H", received, 2)[0]:
            part = s.recv(2048)
            if not part:
                break
            received += part
        return received, s.getsockname()[1]
