"""Servers that nobody here wrote, behind a NAT whose address changes.

    host --- router (masquerade) --- world: coturn (STUN), nginx (echo over HTTPS, and in front of
                                     the sandbox's Gandi)
"""

import contextlib
import os
import re
import signal
import subprocess
import time

import pytest

import certificates
import client
import esddns
import netns
from waiting import wait_for

PORT = 51500
HOST, LAN = "192.168.77.2", "192.168.77.1"
WAN, NEXT_WAN = "198.20.0.7", "198.20.0.8"
WORLD = "198.20.0.1"
ECHO = ("198.20.1.1", "198.20.1.2", "198.20.1.3")
STUN = ("198.20.1.4", "198.20.1.5")
GANDI = "198.20.1.6"
HOST6, NEXT_HOST6, WORLD6 = "2001:200:0:7::2", "2001:200:0:7::3", "2001:200:0:7::1"

NGINX = """\
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    ssl_certificate {tls}/server.crt;
    ssl_certificate_key {tls}/server.key;
    default_type text/plain;
    server {{
        {listen}
        location / {{ return 200 $remote_addr; }}
        location /json {{
            default_type application/json;
            return 200 '{{"ip": "$remote_addr"}}';
        }}
        location /trace {{ return 200 "fl=1\\nip=$remote_addr\\nloc=XX\\n"; }}
    }}
    server {{
        listen {gandi}:443 ssl;
        location / {{ proxy_pass https://127.0.0.1:{port}; }}
    }}
}}
"""


class Servers:
    """Processes that end with the test; what they said is shown if one does not start."""

    def __init__(self, directory):
        self._directory = directory
        self._processes = []

    def start(self, name, *command):
        with open(self._directory / f"{name}.log", "wb") as log:
            self._processes.append((name, subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._directory,
                env={"PATH": os.environ["PATH"]})))

    def check(self):
        for name, process in self._processes:
            assert process.poll() is None, \
                f"{name} ended:\n{(self._directory / f'{name}.log').read_text()}"
        return True

    def stop(self):
        for _, process in self._processes:
            process.send_signal(signal.SIGTERM)
        for _, process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Internet:
    """The three namespaces with their servers running."""

    def __init__(self, stack, directory):
        nginx = netns.need_program("nginx", "nginx-light")
        turnserver = netns.need_program("turnserver", "coturn")
        self.host, self.router, self.world = (
            self._namespace(stack, name) for name in ("h", "r", "w"))
        self._cables()
        self.tls = certificates.make(directory / "tls", *(f"IP:{a}" for a in (*ECHO, GANDI)),
                                     f"IP:{WORLD6}")
        self._servers = Servers(directory)
        stack.callback(self._servers.stop)
        with self.world.entered():
            self.box = stack.enter_context(client.Sandbox("--tls-dir", str(self.tls)))
            listen = "\n".join(f"listen {a}:443 ssl;" for a in (*ECHO, f"[{WORLD6}]"))
            config = directory / "nginx.conf"
            config.write_text(NGINX.format(dir=directory, tls=self.tls, listen=listen, gandi=GANDI,
                                           port=self.box.state["ports"]["https"]))
            self._servers.start("nginx", nginx, "-e", "stderr", "-p", str(directory), "-c",
                                str(config))
            for i, address in enumerate((*STUN, WORLD6)):
                self._servers.start(
                    f"coturn{i}", turnserver, "-n", "-S", "--no-cli", "-L", address, "-p", "3478",
                    "--no-tls", "--no-dtls", "--log-file", "stdout", "--simple-log",
                    "--pidfile", str(directory / f"coturn{i}.pid"),
                    "--db", str(directory / f"coturn{i}.db"))
        wait_for(self.up, "nginx and coturn listen")

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

    def up(self):
        self._servers.check()
        listening = netns.run("ip", "netns", "exec", self.world.name, "cat", "/proc/net/tcp")
        # 443 of nginx and 3478 of coturn, as /proc spells them
        return len(re.findall(r":01BB 0{8}:0000 0A", listening)) == len(ECHO) + 1 and \
            len(re.findall(r":0D96 0{8}:0000 0A", listening)) >= len(STUN)

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
        v4 = {"family": "ipv4"}
        return esddns.merge({
            "records": [{"zone": "example.com", "name": "@", "type": "A", "ttl": 300}],
            "provider": {"url": f"https://{GANDI}/v5/livedns", "ca_file": ca_file,
                         "timeout": "3s"},
            "detector": {"interval": "60s", "tripwire": "1s", "timeout": "2s",
                         "confirm": "300ms", "ca_file": ca_file, "sources": [
                             {"operator": "nginx1", "url": f"https://{ECHO[0]}/"} | v4,
                             {"operator": "nginx2", "url": f"https://{ECHO[1]}/json",
                              "format": "json", "key": "ip"} | v4,
                             {"operator": "nginx3", "url": f"https://{ECHO[2]}/trace",
                              "format": "trace"} | v4,
                             {"operator": "coturn1", "url": f"stun:{STUN[0]}:3478"} | v4,
                             {"operator": "coturn2", "url": f"stun-tcp:{STUN[1]}:3478"} | v4]},
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
