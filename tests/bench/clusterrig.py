"""What is measured in a cluster: instances against a real control plane, without a proxy."""

import contextlib
import os
import pathlib
import secrets
import sys

import client
import esddns
import procfs
from controlplane import ControlPlane
from instance import ADDRESS, Instance
from rig import WAN, ZONE, wait_for_quiet

# What only follows and writes, or stands by for that.
UPDATER_ONLY = {"units": {"detector": {"enabled": False}, "webd": {"enabled": False}}}


class Direct:
    """In the place of a fault proxy: the API server itself."""

    requests = ()

    def __init__(self, port):
        self.port = port

    def heal(self):
        pass

    def close(self):
        pass


class Rig:
    """One control plane, one sandbox, and instances. A context manager."""

    def __init__(self, patience):
        self._stack = contextlib.ExitStack()
        self._patience = patience
        self.loads = []
        try:
            self.plane = self._stack.enter_context(ControlPlane())
            self.box = self._stack.enter_context(client.Sandbox())
        except BaseException:
            self._stack.close()
            raise
        self.peer_key = self.plane.directory / "peer-key"
        self.peer_key.write_text(secrets.token_hex(32))
        self.account = self.plane.directory / "account"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def quiet(self):
        self.loads.append(wait_for_quiet(self._patience))

    @property
    def load(self):
        """How busy the rest of the machine was before the measurement begun last, in words."""
        return f"other load before it: {self.loads[-1]:.0%}"

    def clean(self):
        self.plane.clean()
        self.box.heal()
        self.box.set_wan(WAN)
        self.box.call("DELETE", f"/zones/{ZONE}")
        self.box.call("PUT", f"/zones/{ZONE}", "")
        self.box.clear_log()

    def config(self, number, port, **changes):
        """The defaults, but for where the world is and for these changes."""
        ca_file = self.box.state["ca_file"]
        return esddns.merge({
            "records": [{"zone": ZONE, "name": "@", "type": "A", "ttl": 300}],
            "provider": {"url": self.box.state["gandi_url"], "ca_file": ca_file},
            "detector": {"ca_file": ca_file, "sources": esddns.sources_of(self.box)},
            "cluster": {"peers": {"listen": f"{ADDRESS.format(10 + number)}:{port}",
                                  "key_file": str(self.peer_key)}}}, changes)

    @contextlib.contextmanager
    def instances(self):
        """Makes instances of numbers; they end with the block, quietly."""
        made, port = [], esddns.free_ports(1)[0]

        def make(number, **changes):
            new = Instance(self.plane, number, self.config(number, port, **changes),
                           proxy=Direct(self.plane.port))
            made.append(new)
            return new.start()

        with open(os.devnull, "w", encoding="utf-8") as nothing:
            try:
                yield make
            except BaseException:
                for one in made:
                    sys.stderr.write(f"--- {one.node}:\n{one.log_text()[-3000:]}\n")
                raise
            finally:
                # all at once: one after the other, each would hand over to the next
                for one in made:
                    if one.running():
                        one.send(15)
                with contextlib.redirect_stdout(nothing):
                    for one in reversed(made):
                        with contextlib.suppress(AssertionError):
                            one.finish()

    def service_account(self):
        """A directory with the operator's token, as the kubelet makes it."""
        self.account.mkdir(exist_ok=True)
        (self.account / "ca.crt").write_bytes((self.plane.certificates / "ca.crt").read_bytes())
        (self.account / "token").write_text(self.plane.token("esddns-operator"))
        return self.account


def built(name):
    """A program of this build that only the bench needs."""
    path = pathlib.Path(esddns.BUILD) / "tests" / "bench" / name
    if not os.access(path, os.X_OK):
        sys.exit(f"bench: {path} is missing: build it first")
    return str(path)


def busy():
    """How busy the machine is now, whoever it is."""
    return procfs.load()
