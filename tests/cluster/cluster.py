"""Several instances on one machine, against one control plane and one sandbox."""

import contextlib

import esddns
import instance
from gate import Gate
from waiting import wait_for

WAN4, NEW4, NEWER4 = "198.20.0.7", "198.20.0.99", "198.20.0.100"
# Short, so that a take-over after a crash can be awaited many times.
LEASE = {"duration": "6s", "renew_deadline": "4s", "retry_period": "1s"}
DURATION, RETRY = 6, 1


class Cluster:
    """Starts instances, and knows them."""

    def __init__(self, plane, box, peer_key):
        self.plane, self.box = plane, box
        self._key = peer_key
        self._gates = []
        self._addresses = self._guests = 0
        self.all = []
        self._port = esddns.free_ports(1)[0]

    def config(self, number, **changes):
        listen = f"{instance.ADDRESS.format(10 + number)}:{self._port}"
        base = esddns.config_for(
            self.box, updater={"interval": "30s", "backup_delay": "2s", "backup_spread": "1s"},
            cluster={"lease": LEASE,
                     "peers": {"listen": listen, "key_file": str(self._key)}})
        return esddns.merge(base, changes)

    def start(self, number, account="esddns-operator", start=True, **changes):
        new = instance.Instance(self.plane, number, self.config(number, **changes), account)
        self.all.append(new)
        return new.start() if start else new

    def start_three(self, **changes):
        """Three of them, in sync; the first leads."""
        first = self.start(1, **changes)
        first.wait_state(lambda s: s["leader"] and s["leader"]["role"] == "leader",
                         "the first leads")
        others = [self.start(n, **changes) for n in (2, 3)]
        for one in (first, *others):
            one.wait_in_sync()
        wait_for(lambda: all(i.state()["cluster"]["connected"] and i.holder() == first.node
                             for i in others), "the others hear the leader", evidence=self.evidence)
        return [first, *others]

    @contextlib.contextmanager
    def guest(self):
        """One more, not started yet, that has met no failure yet; it goes at the end."""
        self._guests += 1
        guest = self.start(10 + self._guests, start=False)
        try:
            yield guest
        finally:
            self.all.remove(guest)
            guest.finish()

    def gandi_gate(self):
        """A gate to the provider, and the provider's settings for who goes through it."""
        gate = Gate(self.box.state["ports"]["https"])
        self._gates.append(gate)
        url = self.box.state["gandi_url"].replace(f":{self.box.state['ports']['https']}",
                                                  f":{gate.port}")
        return gate, {"url": url}

    def leaders(self, among=None):
        return [i for i in among or self.all if i.running() and i.leads()]

    def wait_leader(self, among, limit=esddns.LIMIT):
        """The one of them that leads, once one does, and its ConfigMap's claim is made."""
        found = wait_for(lambda: self.leaders(among), "one of them leads", limit, self.evidence)
        assert len(found) == 1
        return found[0]

    def next_address(self):
        """One that was never there: coming back to an old one is damped."""
        self._addresses += 1
        return f"198.20.1.{self._addresses}"

    def puts(self):
        return self.box.counts()["gandi.PUT"]

    def record(self):
        found = self.box.rrset("example.com", "@", "A")
        return found and found["rrset_values"]

    def wait_record(self, address, limit=esddns.LIMIT):
        wait_for(lambda: self.record() == [address], f"the record is {address}", limit,
                 self.evidence)

    def evidence(self):
        return "\n".join(f"=== {i.node}: {i.evidence()}\n{i.proxy.requests[-20:]}"
                         for i in self.all if i.running())

    def finish(self):
        failures = []
        for one in reversed(self.all):
            try:
                one.finish()
            except AssertionError as error:
                failures.append(f"{one.node}: {error}")
        for gate in self._gates:
            gate.close()
        assert not failures, "\n".join(failures)
