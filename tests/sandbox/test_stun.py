"""The STUN servers answer as RFC 8489 says, and badly only when told to."""

import ipaddress
import shutil
import socket
import struct
import subprocess
import time

import pytest

import stun
from asking import HOSTS, WAN, ask_tcp, ask_udp, request_bytes


def check_success(data, host, port):
    found = stun.decode_response(data)
    assert found["type"] == stun.BINDING_SUCCESS and found["id"] == b"0123456789ab"
    assert found["xor-mapped"] == (ipaddress.ip_address(WAN[host]), port)
    assert found["attributes"][-1] == stun.FINGERPRINT and "mapped" not in found


def test_rfc5769_vectors():
    """The decoder the other tests rely on, against the RFC's own responses."""
    for text, address in (
            ("0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001"
             "a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
             "192.0.2.1"),
            ("010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002"
             "a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed41"
             "80280004c8fb0b4c", "2001:db8:1234:5678:11:2233:4455:6677")):
        found = stun.decode_response(bytes.fromhex(text))
        assert found["xor-mapped"] == (ipaddress.ip_address(address), 32853)
        assert found["software"] == "test vector"
    request = ("000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e7400"
               "2400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aea"
               "a70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf")
    assert stun.parse_request(bytes.fromhex(request))[1] == []
    with pytest.raises(stun.Malformed, match="FINGERPRINT"):
        stun.parse_request(bytes.fromhex(request[:-1] + "e"))


@pytest.mark.parametrize("name", ["stun1", "stun2", "stun3"])
@pytest.mark.parametrize("host", HOSTS)
def test_stun_over_udp_and_tcp(box, host, name):
    check_success(*swap(ask_udp(box, request_bytes(), host, name), host))
    check_success(*swap(ask_tcp(box, request_bytes(), host, name), host))
    data = ask_udp(box, request_bytes(), host, name)[0]
    software = stun.decode_response(data)["software"]
    padding = -len(software) % 4
    assert padding and data[24 + len(software):24 + len(software) + padding] == b"\xa5" * padding
    assert box.counts()[f"{name}.udp"] == 2 and box.counts()[f"{name}.tcp"] == 1


def swap(answer, host):
    return answer[0], host, answer[1]


@pytest.mark.parametrize("data", [
    b"", b"x" * 19, request_bytes()[:-1], request_bytes() + b"\0" * 4,
    b"\x80" + request_bytes()[1:], b"\x01\x01" + request_bytes()[2:],
    b"\x00\x11" + request_bytes()[2:], b"\x00\x03" + request_bytes()[2:],
    request_bytes()[:4] + b"\0\0\0\0" + request_bytes()[8:],
    request_bytes(b"\x80\x22\x00\x05abcd"), request_bytes(b"\x80\x22\xff\xff"),
    request_bytes(b"ab"), request_bytes(struct.pack("!HHI", stun.FINGERPRINT, 4, 7))])
def test_stun_drops_what_is_no_request(box, data):
    assert ask_udp(box, data, timeout=0.2)[0] is None
    entry, = box.log("stun1")
    assert entry["status"] == "dropped" and entry["reason"]
    assert box.counts()["stun1.invalid"] == 1 and box.counts()["stun1.udp"] == 0


def test_stun_refuses_unknown_required_attributes(box):
    data = ask_udp(box, request_bytes(struct.pack("!HHI", 0x0003, 4, 0)))[0]
    found = stun.decode_response(data)
    assert found["error"] == (420, "Unknown Attribute") and found["unknown"] == [3]


def test_stun_tcp_connection_serves_several_requests(box):
    with socket.create_connection(("127.0.0.1", box.state["ports"]["stun1"]), timeout=3) as s:
        s.sendall(request_bytes() + request_bytes(transaction=b"ba9876543210"))
        received = b""
        while len(received) < 2 * 60:
            received += s.recv(2048)
    half = len(received) // 2
    assert [stun.decode_response(received[i:i + half])["id"] for i in (0, half)] == \
        [b"0123456789ab", b"ba9876543210"]
    assert len({entry["connection"] for entry in box.log("stun1")}) == 1


def test_stun_faults(box):
    def meet(patience=10, **spec):
        box.fault("stun1", **spec)
        return ask_udp(box, request_bytes(), timeout=patience)[0]

    found = stun.decode_response(meet(mode="wrong", address="203.0.113.66"))
    assert str(found["xor-mapped"][0]) == "203.0.113.66"
    assert meet(0.7, mode="silent") is None and meet(0.7, mode="close") is None
    assert stun.decode_response(meet(mode="wrong-id"))["id"] != b"0123456789ab"
    found = stun.decode_response(meet(mode="mapped-only"))
    assert str(found["mapped"][0]) == "198.20.0.7" and "xor-mapped" not in found
    found = stun.decode_response(meet(mode="error", code=300))
    assert found["error"][0] == 300 and stun.ALTERNATE_SERVER in found["attributes"]
    assert meet(mode="raw", hex="0101ffff{id}") == b"\x01\x01\xff\xff0123456789ab"
    with pytest.raises(stun.Malformed, match="length"):
        stun.decode_response(meet(mode="truncate"))
    start = time.monotonic()
    assert meet(mode="slow", seconds=0.3) and time.monotonic() - start >= 0.3


def test_stun_faults_over_tcp(box):
    box.fault("stun1", mode="close", transport="tcp")
    assert ask_tcp(box, request_bytes())[0] == b""
    assert ask_udp(box, request_bytes())[0]
    box.fault("stun1", mode="truncate")
    assert 20 < len(ask_tcp(box, request_bytes())[0]) < 68
    box.fault("stun1", mode="silent")
    with pytest.raises(TimeoutError):
        ask_tcp(box, request_bytes())
    box.fault("stun1", mode="drip", seconds=0.005)
    data, port = ask_tcp(box, request_bytes())
    check_success(data, "127.0.0.1", port)


@pytest.mark.skipif(not shutil.which("turnutils_stunclient"), reason="no turnutils_stunclient here")
def test_coturns_client_understands_the_answer(box):
    result = subprocess.run(["turnutils_stunclient", "-p", str(box.state["ports"]["stun2"]),
                             "127.0.0.1"], capture_output=True, text=True, timeout=20, check=False)
    assert "UDP reflexive addr: 198.20.0.7:" in result.stdout + result.stderr
