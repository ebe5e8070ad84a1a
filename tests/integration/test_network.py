"""A network that is missing or ill: nothing blocks, and it recovers by itself."""

import contextlib
import time

import pytest

import certificates
import client
import esddns
import loops
import netns
import processes
import webclient
from conftest import WAN4
from nameserver import NameServer
from waiting import wait_for

PORT = 51500
NAMES = ("alpha.test", "bravo.test", "charlie.test", "stun.test", "gandi.test")
NEW4 = "198.20.0.99"
WORLD, HOST, RESOLVER = "198.20.9.1", "198.20.9.2", "198.20.9.53"


class Home:
    """ESDDNS in a namespace of its own, its loops watched until check_loops()."""

    def __init__(self, stack, namespace, launch, config, resolv_conf):
        self._namespace = namespace
        with namespace.entered():
            self.system = launch(config, port=PORT,
                                 wrap=netns.with_files(resolv_conf=resolv_conf))
        # sanitizers make computing a few times slower, and no system call
        self._loops = stack.enter_context(
            loops.Watch(self._processes, computing=not esddns.is_sanitized()))

    def _processes(self):
        found = self.system.units() | {"supervisor": self.system.pid}
        return {name: pid for name, pid in found.items()
                if (processes.stat(pid) or ("",))[0].startswith("esddns")}

    def check_loops(self):
        """Nothing was blocked so far, and that is known of many moments."""
        assert self._loops.samples > 1000
        assert not self._loops.found, self._loops.found

    def healthz(self):
        """Seconds that /healthz takes; it must be well."""
        started = time.monotonic()
        with self._namespace.entered():
            answer = webclient.ask(PORT, "/healthz", timeout=5)
        assert answer.status == 200, answer.text
        return time.monotonic() - started


@pytest.fixture(name="stack")
def fixture_stack():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(name="tls", scope="module")
def fixture_tls(tmp_path_factory):
    return certificates.make(tmp_path_factory.mktemp("tls"), *(f"DNS:{name}" for name in NAMES))


def namespace(stack, name):
    made = netns.Namespace(name)
    stack.callback(made.remove)
    return made


def configuration(box, tls, **changes):
    """Everything by name, so that nothing works without the name server."""
    https, stun = box.state["ports"]["https"], box.state["ports"]
    ca_file = str(tls / "ca.crt")
    sources = [{"operator": "alpha", "url": f"https://alpha.test:{https}/alpha/ip"},
               {"operator": "bravo", "url": f"https://bravo.test:{https}/bravo/cdn-cgi/trace",
                "format": "trace"},
               {"operator": "charlie", "url": f"https://charlie.test:{https}/charlie/json",
                "format": "json", "key": "ip"},
               {"operator": "stun1", "url": f"stun:stun.test:{stun['stun1']}"},
               {"operator": "stun2", "url": f"stun-tcp:stun.test:{stun['stun2']}"}]
    return esddns.config_for(box, **esddns.merge({
        "provider": {"url": f"https://gandi.test:{https}/v5/livedns", "ca_file": ca_file},
        "detector": {"sources": sources, "ca_file": ca_file, "timeout": "1s", "interval": "4s"},
        "updater": {"interval": "2s"},
        # a loop that makes no progress is killed, which every test here would notice
        "units": {"detector": {"WatchdogSec": "1s"}, "updater": {"WatchdogSec": "1s"}}}, changes))


def resolv_conf(path, server):
    path.write_text(f"nameserver {server}\noptions timeout:1 attempts:2\n", encoding="ascii")
    return path


def watch(home, condition, what, limit):
    """Waits for the condition, asking /healthz all the while: it must always answer at once."""
    slowest = 0

    def check():
        nonlocal slowest
        slowest = max(slowest, home.healthz())
        assert slowest < 1, f"/healthz took {slowest:.2f} s"
        return condition()

    wait_for(check, what, limit, home.system.log_text)
    return slowest


def held(system):
    return any("operators" in e.text for e in system.log(unit="detector"))


def test_no_network_at_boot(stack, launch, tls, tmp_path):
    """The cable is plugged in later; name server, sources and provider are all behind it."""
    world, host = namespace(stack, "w"), namespace(stack, "h")
    netns.join(world, "w0", host, "h0")
    # the sandbox listens on loopback only: what comes in for the world's address goes there
    world.ip("address", "add", f"{WORLD}/24", "dev", "w0")
    world.ip("address", "add", f"{RESOLVER}/24", "dev", "w0")
    world.ip("link", "set", "w0", "up")
    world.sysctl("ipv4/conf/all/route_localnet", 1)
    world.nft("table ip nat {", "chain pre {", "type nat hook prerouting priority dstnat;",
              f"ip daddr {WORLD} dnat to 127.0.0.1", "}", "}")
    with world.entered():
        box = stack.enter_context(client.Sandbox("--tls-dir", str(tls)))
        names = stack.enter_context(NameServer(RESOLVER, WORLD))
    home = Home(stack, host, launch, configuration(box, tls),
                resolv_conf(tmp_path / "resolv.conf", RESOLVER))
    system = home.system
    wait_for(lambda: held(system), "a first round has failed", 20, system.log_text)
    started = time.monotonic()
    slowest = watch(home, lambda: time.monotonic() - started > 8 and
                    len(system.log(level="error")) < 20, "some time without a network", 20)
    assert names.questions == 0
    with host.entered():
        state = system.state()
        assert state["wan"]["ipv4"]["address"] is None and state["wan"]["ipv4"]["reason"]
        assert all(u["restarts"] == 0 for u in state["units"])
    pids = system.units()
    host.ip("address", "add", f"{HOST}/24", "dev", "h0")
    host.ip("link", "set", "h0", "up")
    host.ip("route", "add", "default", "via", WORLD)
    plugged = time.monotonic()
    with world.entered():
        slowest = max(slowest, watch(home, lambda: box.rrset("example.com", "@", "A"),
                                     "the record is written", 30))
        assert box.rrset("example.com", "@", "A")["rrset_values"] == [WAN4]
    print(f"written {time.monotonic() - plugged:.1f} s after the network came; "
          f"slowest /healthz {slowest * 1000:.0f} ms")
    assert system.units() == pids

    # and once more: it goes away while everything runs, changes meanwhile, and comes back
    host.ip("link", "set", "h0", "down")
    with world.entered():
        box.set_wan(NEW4)
    with host.entered():
        system.wait_state(lambda s: not s["wan"]["ipv4"]["usable"], "it is not usable any more")
        assert system.raw()["wan_ip_state"]["usable"] is False
        assert "points to" not in system.page().text
    host.ip("link", "set", "h0", "up")
    host.ip("route", "add", "default", "via", WORLD)
    with world.entered():
        watch(home, lambda: box.rrset("example.com", "@", "A")["rrset_values"] == [NEW4],
              "the new address is written", 30)
    with host.entered():
        system.wait_in_sync()
    assert system.units() == pids
    home.check_loops()


def test_a_name_server_that_never_answers(stack, launch, tls, tmp_path):
    """Neither at boot nor later does it stop more than what needs it."""
    host = namespace(stack, "n")
    with host.entered():
        names = stack.enter_context(NameServer("127.0.0.53"))
        box = stack.enter_context(client.Sandbox("--tls-dir", str(tls)))
    home = Home(stack, host, launch, configuration(box, tls),
                resolv_conf(tmp_path / "resolv.conf", "127.0.0.53"))
    system = home.system
    watch(home, lambda: held(system) and names.questions > 4, "a round has failed", 20)
    assert system.log_lines("name server")
    assert not box_counts(host, box, "gandi.GET", "alpha")
    names.address = "127.0.0.1"
    watch(home, lambda: asked(host, box), "it recovers by itself", 30)
    with host.entered():
        system.wait_in_sync()
        # it falls silent again, and the address changes
        names.address = None
        box.set_wan(NEW4)
    lost = time.monotonic()
    watch(home, lambda: time.monotonic() > lost + 8 and held(system), "a while without names", 30)
    with host.entered():
        state = system.state()
        assert state["wan"]["ipv4"]["address"] == WAN4
        assert all(u["restarts"] == 0 for u in state["units"])
        names.address = "127.0.0.1"
        system.wait_address(NEW4)
        system.wait_in_sync()
        assert box.rrset("example.com", "@", "A")["rrset_values"] == [NEW4]
    home.check_loops()


def box_counts(host, box, *names):
    with host.entered():
        counts = box.counts()
    return sum(counts[name] for name in names)


def asked(host, box):
    with host.entered():
        return box.rrset("example.com", "@", "A")


def test_only_the_provider_cannot_be_resolved(stack, launch, tls, tmp_path):
    """The detector needs no names here: it goes on while the updater waits for one."""
    host = namespace(stack, "p")
    with host.entered():
        names = stack.enter_context(NameServer("127.0.0.53"))
        box = stack.enter_context(client.Sandbox("--tls-dir", str(tls)))
    home = Home(stack, host, launch, configuration(
        box, tls, detector={"sources": esddns.sources_of(box)}),
        resolv_conf(tmp_path / "resolv.conf", "127.0.0.53"))
    system = home.system
    watch(home, lambda: names.questions > 0 and system.log_lines("address found"),
          "the address is found", 20)
    with host.entered():
        state = system.wait_state(lambda s: s["records"][0]["error"], "the updater says why")
        assert "gandi.test" in state["records"][0]["error"]
        assert state["wan"]["ipv4"]["state"] == "agreed"
        box.set_wan(NEW4)
        system.wait_address(NEW4)
        names.address = "127.0.0.1"
        system.wait_in_sync()
    home.check_loops()
