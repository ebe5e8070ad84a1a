"""Servers that nobody here wrote, behind a NAT whose address changes.

    host --- router (masquerade) --- world: coturn (STUN), nginx (echo over HTTPS, and in front of
                                     the sandbox's Gandi)
"""

import contextlib
import time

import pytest

import certificates
import client
import esddns
import netns
import realservers
from waiting import wait_for

PORT = 51500
HOST, LAN = "192.168.77.2", "192.168.77.1"
WAN, NEXT_WAN = "198.20.0.7", "198.20.0.8"
WORLD = "198.20.0.1"
ECHO = ("198.20.1.1", "198.20.1.2", "198.20.1.3")
STUN = ("198.20.1.4", "198.20.1.5")
GANDI = "198.20.1.6"
HOST6, NEXT_HOST6, WORLD6 = "2001:200:0:7::2", "2001:200:0:7::3", "2001:200:0:7::1"


class Internet:
    """The three namespaces with their servers running."""

    def __init__(self, stack, directory):
        self.host, self.router, self.world = (
            self._namespace(stack, name) for name in ("h", "r", "w"))
        self._cables()
        self.tls = certificates.make(directory / "tls", *(f"IP:{a}" for a in (*ECHO, GANDI)),
                                     f"IP:{WORLD6}")
        self._servers = realservers.Servers(directory)
        stack.callback(self._servers.stop)
        with self.world.entered():
            self.box = stack.enter_context(client.Sandbox("--tls-dir", str(self.tls)))
            self._servers.nginx(self.tls, (*ECHO, f"[{WORLD6}]"), GANDI,
                                self.box.state["ports"]["https"])
            self._servers.coturn(*STUN, WORLD6)
        wait_for(lambda: self._servers.up(self.world), "nginx and coturn listen")

    @staticmethod
    def _namespace(stack, name):
        made = netns.Namespace(name)
        stack.callback(made.remove)
        return made

    def _cables(self):
        netns.join(self.host, "lan", self.router, "lan")
        netns.join(self.router, "wan", self.world, "wan")
        netns.join(self.host, "six", self.world, "six")
        for space, device, *addresses in (
                (self.host, "lan", f"{HOST}/24"), (self.router, "lan", f"{LAN}/24"),
                (self.router, "wan", f"{WAN}/24"),
                (self.world, "wan", f"{WORLD}/24", *(f"{a}/32" for a in (*ECHO, *STUN, GANDI))),
                (self.host, "six", f"{HOST6}/64"), (self.world, "six", f"{WORLD6}/64")):
            for address in addresses:
                how = ("nodad",) if ":" in address else ()
                space.ip("address", "add", address, "dev", device, *how)
            space.ip("link", "set", device, "up")
        self.host.ip("route", "add", "default", "via", LAN)
        self.router.ip("route", "add", "default", "via", WORLD)
        self.router.sysctl("ipv4/ip_forward", 1)
        self.router.nft("table ip nat {", "chain post {",
                        "type nat hook postrouting priority srcnat;", 'oifname "wan" masquerade',
                        "}", "}")

    def change_wan(self, old, new):
        """What the provider's PPP session does overnight."""
        self.router.ip("address", "add", f"{new}/24", "dev", "wan")
        self.router.ip("address", "del", f"{old}/24", "dev", "wan")
        self.router.ip("address", "replace", f"{new}/24", "dev", "wan")
        if "default" not in self.router.ip("route"):
            self.router.ip("route", "add", "default", "via", WORLD)

    def rrset(self, kind):
        with self.world.entered():
            record = self.box.rrset("example.com", "@", kind)
        return record and record["rrset_values"]

    def config(self, **changes):
        ca_file = str(self.tls / "ca.crt")
        return esddns.merge({
            "records": [{"zone": "example.com", "name": "@", "type": "A", "ttl": 300}],
            "provider": {"url": f"https://{GANDI}/v5/livedns", "ca_file": ca_file,
                         "timeout": "3s"},
            "detector": {"interval": "60s", "tripwire": "1s", "timeout": "2s",
                         "confirm": "300ms", "ca_file": ca_file,
                         "sources": realservers.sources(ECHO, STUN)},
            "updater": {"interval": "60s"}}, changes)


@pytest.fixture(name="internet")
def fixture_internet(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Internet(stack, tmp_path)


def test_the_address_of_a_nat_is_found_and_followed(internet, launch):
    with internet.host.entered():
        system = launch(internet.config(), port=PORT)
        state = system.wait_in_sync()
        assert state["wan"]["ipv4"]["address"] == WAN       # not the host's own one
        assert state["wan"]["ipv4"]["agreed"] == 5, state["wan"]["ipv4"]["votes"]
    assert internet.rrset("A") == [WAN]
    started = time.monotonic()
    internet.change_wan(WAN, NEXT_WAN)
    wait_for(lambda: internet.rrset("A") == [NEXT_WAN], "the record follows", 20, system.log_text)
    print(f"the record followed the router's new address in {time.monotonic() - started:.1f} s")
    with internet.host.entered():
        state = system.wait_in_sync()
        assert state["wan"]["ipv4"]["address"] == NEXT_WAN
        assert state["wan"]["ipv4"]["agreed"] == 5, state["wan"]["ipv4"]["votes"]
        assert [c["address"] for c in state["wan"]["ipv4"]["changes"]] == [WAN, NEXT_WAN]


def test_a_change_of_the_hosts_own_ipv6_address_is_seen_at_once(internet, launch):
    """There is no NAT here, and no tripwire: netlink tells of it."""
    config = internet.config(
        records=[{"zone": "example.com", "name": "@", "type": "AAAA", "ttl": 300}],
        detector={"tripwire": 0, "interval": "60s", "sources": [
            {"operator": "nginx", "url": f"https://[{WORLD6}]/", "family": "ipv6"},
            {"operator": "coturn", "url": f"stun:[{WORLD6}]:3478", "family": "ipv6"}]})
    with internet.host.entered():
        system = launch(config, port=PORT)
        state = system.wait_in_sync()
        assert state["wan"]["ipv6"]["address"] == HOST6
    internet.host.ip("address", "add", f"{NEXT_HOST6}/64", "dev", "six", "nodad")
    internet.host.ip("address", "del", f"{HOST6}/64", "dev", "six")
    wait_for(lambda: internet.rrset("AAAA") == [NEXT_HOST6], "the record follows", 20,
             system.log_text)
    with internet.host.entered():
        system.wait_in_sync()


def test_a_temporary_address_of_the_host_is_not_published(internet, launch):
    """With privacy extensions the kernel prefers an address that ends within days."""
    host = internet.host
    host.sysctl("ipv6/conf/six/use_tempaddr", 2)
    host.ip("address", "del", f"{HOST6}/64", "dev", "six")
    host.ip("address", "add", f"{HOST6}/64", "dev", "six", "nodad", "mngtmpaddr",
            "valid_lft", "7200", "preferred_lft", "3600")
    wait_for(lambda: WORLD6 in host.ip("-6", "route", "get", WORLD6) and
             f"src {HOST6} " not in host.ip("-6", "route", "get", WORLD6),
             "a temporary address is preferred")
    config = internet.config(
        records=[{"zone": "example.com", "name": "@", "type": "AAAA", "ttl": 300}],
        detector={"sources": [
            {"operator": "nginx", "url": f"https://[{WORLD6}]/", "family": "ipv6"},
            {"operator": "coturn1", "url": f"stun:[{WORLD6}]:3478", "family": "ipv6"},
            {"operator": "coturn2", "url": f"stun-tcp:[{WORLD6}]:3478", "family": "ipv6"}]})
    with host.entered():
        system = launch(config, port=PORT)
        state = system.wait_in_sync()
        assert state["wan"]["ipv6"]["agreed"] == 3, state["wan"]["ipv6"]["votes"]
    assert internet.rrset("AAAA") == [HOST6]
