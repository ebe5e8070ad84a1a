"""The internet side of the router: echo and STUN servers, and the provider.

    nodes --- router (NAT) --- 203.0.113.1 and others: nginx (echo over HTTPS, and in front of the
                               sandbox's Gandi), coturn (STUN)
"""

import contextlib
import ipaddress
import threading
import time

import certificates
import client
import realservers
from waiting import wait_for

# The network is one for documentation: nothing here is an address of anybody.
ECHO = ("203.0.113.1", "203.0.113.2", "203.0.113.3")
STUN = ("203.0.113.4", "203.0.113.5")
GANDI = "203.0.113.6"
FIRST_WAN = "203.0.113.10"
ZONE, NAME, KIND = "esddns.test", "@", "A"
POLL_SECONDS = 0.05


class Internet:
    """A context manager. Its sandbox knows the tokens that are valid, and counts the writes."""

    def __init__(self, cluster, directory):
        self._cluster = cluster
        self._directory = directory
        self._stack = contextlib.ExitStack()
        self._box = None
        self.wan = FIRST_WAN
        self.tls = directory / "tls"

    def __enter__(self):
        with self._stack as stack:
            space = self._cluster.wan
            for address in (*ECHO[1:], *STUN, GANDI):
                space.ip("address", "add", f"{address}/24", "dev", "eth0")
            certificates.make(self.tls, *(f"IP:{a}" for a in (*ECHO, GANDI)))
            servers = realservers.Servers(self._directory)
            stack.callback(servers.stop)
            with space.entered():
                self._box = stack.enter_context(client.Sandbox("--zone", ZONE, "--tls-dir",
                                                             str(self.tls)))
                servers.nginx(self.tls, ECHO, GANDI, self._box.state["ports"]["https"])
                servers.coturn(*STUN)
            wait_for(lambda: servers.up(space), "nginx and coturn listen")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _ask(self, how, *arguments, **named):
        with self._cluster.wan.entered():
            return how(*arguments, **named)

    # --- the provider ----------------------------------------------------------------------

    def record(self):
        """The values of the record, or None where there is none."""
        found = self._ask(self._box.rrset, ZONE, NAME, KIND)
        return found and found["rrset_values"]

    def writes(self):
        """All that was written: a list of entries of the sandbox's log."""
        return [e for e in self._ask(self._box.log, "gandi") if e["method"] != "GET"]

    def set_token(self, token):
        """From now on only this one is valid."""
        self._ask(self._box.call, "PUT", "/gandi/token", {"bearer": token, "apikey": None})

    def refused(self):
        """How many requests met a refusal of their token."""
        return sum(e["status"] == 401 for e in self._ask(self._box.log, "gandi"))

    # --- the router ------------------------------------------------------------------------

    def next_wan(self):
        """Another address from the router's ISP, which never had been there; the address."""
        self.wan = str(ipaddress.ip_address(self.wan) + 1)
        self._cluster.tool("wan-ip", self.wan)
        return self.wan


class Observer:
    """Watches the record all the time; a context manager.

    At its end: the record had, one after the other, exactly the addresses that were expected, and
    each of them was written by one PUT.
    """

    def __init__(self, internet, cluster):
        self._internet, self._cluster = internet, cluster
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._expected = [[internet.wan]]
        self._seen = []
        self._since = time.time()           # as the sandbox tells the time
        self._changed = time.monotonic()
        self._failure = None

    def __enter__(self):
        self._seen = [(time.monotonic(), self._internet.record())]
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._ended.set()
        self._thread.join()
        if kind is None:
            self.check()

    def _watch(self):
        try:
            while not self._ended.wait(POLL_SECONDS):
                record = self._internet.record()
                if record != self._seen[-1][1]:
                    self._seen.append((time.monotonic(), record))
        except Exception as error:      # whatever it is, the test must not pass
            self._failure = error

    def change_wan(self):
        """A new WAN address, which the record is expected to take; the address."""
        address = self._internet.next_wan()
        self._changed = time.monotonic()
        self._expected.append([address])
        return address

    def wait_followed(self, limit):
        """The record has the newest address; the seconds since the router had it."""
        wait_for(lambda: self._seen[-1][1] == self._expected[-1],
                 f"the record is {self._expected[-1]}", limit)
        return self._seen[-1][0] - self._changed

    def check(self):
        assert self._failure is None, self._failure
        assert [record for _, record in self._seen] == self._expected
        writes = [w for w in self._internet.writes() if w["time"] >= self._since]
        assert [(w["method"], w["status"]) for w in writes] == \
            [("PUT", 201)] * (len(self._expected) - 1), writes
