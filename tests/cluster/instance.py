"""One pod's worth of ESDDNS: all of its processes, with a service account's token of its own."""

import os
import signal
import uuid

import esddns
import processes
from controlplane import NAMESPACE
from faultproxy import FaultProxy
from waiting import wait_for

ADDRESS = "127.0.0.{}"      # a node's; number 1 is 127.0.0.11


class Instance(esddns.System):
    """`number` makes its node's name and address. Its way to the API server is self.proxy."""

    def __init__(self, plane, number, config, account="esddns-operator", build=esddns.BUILD,
                 proxy=None):
        self.plane, self.number = plane, number
        self.node, self.address = f"node{number}", ADDRESS.format(10 + number)
        self.pod = f"esddns-{self.node}"
        self.proxy = proxy or FaultProxy(plane.certificates, plane.port)
        self.account = account
        super().__init__(config, build=build)
        self._accounts = self.directory / "serviceaccount"
        self._accounts.mkdir()
        (self._accounts / "ca.crt").write_bytes((plane.certificates / "ca.crt").read_bytes())
        (self._accounts / "namespace").write_text(NAMESPACE)
        self.token = None
        self.write_token(plane.token(account))
        self.environment |= {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.proxy.port),
            "ESDDNS_SERVICEACCOUNT_DIR": str(self._accounts), "NODE_NAME": self.node,
            "POD_NAME": self.pod, "POD_UID": str(uuid.uuid4()), "POD_NAMESPACE": NAMESPACE,
            "POD_IP": self.address}

    def write_token(self, token):
        """As the kubelet does it: the file is swapped."""
        new = self._accounts / "token.new"
        new.write_text(token)
        new.replace(self._accounts / "token")
        self.token = token

    def finish(self):
        try:
            self.proxy.heal()
            super().finish()
        finally:
            self.proxy.close()

    def check_log(self):
        super().check_log()
        assert self.token not in self.log_text(), "the token of the service account is in the log"

    # --- all of its processes at once ------------------------------------------------------

    def everyone(self):
        return [self.pid, *self.units().values()]

    def kill_all(self):
        """kill -9, as a node's death is: nobody is left to say goodbye."""
        pids = self.everyone()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)        # so that none sees another end
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.expected_codes = (-signal.SIGKILL,)
        self._process.wait()

    def freeze(self):
        for pid in self.everyone():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in reversed(self.everyone()):
            os.kill(pid, signal.SIGCONT)

    # --- what it says ------------------------------------------------------------------------

    def role(self):
        leader = self.state()["leader"]
        return leader and leader["role"]

    def holder(self):
        """The node that leads, as this one sees it."""
        return self.state()["leader"]["holder"].rpartition("_")[0]

    def leads(self):
        return self.role() == "leader"

    def record(self):
        return self.state()["records"][0]

    def shows(self, address):
        """The page's answer to what the address is, and whether DNS has it."""
        state = self.state()
        family = "ipv6" if ":" in address else "ipv4"
        return state["wan"][family]["address"] == address

    def wait_shows(self, address, limit=esddns.LIMIT):
        wait_for(lambda: self.shows(address), f"{self.node} shows {address}", limit, self.evidence)

    def restarts(self):
        return sum(u["restarts"] for u in self.state()["units"])

    def is_alive(self):
        return self.running() and processes.is_alive(self.pid)
