"""What is measured: an ESDDNS with its default settings, against the sandbox over HTTPS."""

import contextlib
import os
import pathlib
import sys
import time

import client
import esddns
import procfs

# what a real host trusts: parsing it, and what stays of it, is part of the price of HTTPS
SYSTEM_CAS = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
WAN = "198.20.0.7"
QUIET = 0.15    # of all cores; the rest of the machine is then no part of a figure
SETTLE_SECONDS = 13      # longer than a process keeps what only a round needs
ZONE = "example.com"


def wait_for_quiet(patience):
    """Waits for a machine that does little else; how busy it was when this gave up or not."""
    end = time.monotonic() + patience
    load = procfs.load()
    while load > QUIET and time.monotonic() < end:
        load = min(load, procfs.load())
    return load


class Rig:
    """One sandbox, and systems against it. A context manager."""

    def __init__(self, patience):
        self._stack = contextlib.ExitStack()
        self._patience = patience
        self.loads = []
        self.box = self._stack.enter_context(client.Sandbox())
        self._ca_file = pathlib.Path(self.box.state["ca_file"]).with_name("bundle.crt")
        self._ca_file.write_bytes(SYSTEM_CAS.read_bytes() +
                                  pathlib.Path(self.box.state["ca_file"]).read_bytes())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def quiet(self):
        self.loads.append(wait_for_quiet(self._patience))

    def configuration(self, **detector):
        """The defaults, but for where the outside world is, and for these of the detector."""
        return {
            "records": [{"zone": ZONE, "name": "@", "type": "A", "ttl": 300}],
            "provider": {"url": self.box.state["gandi_url"], "ca_file": str(self._ca_file)},
            "detector": {"ca_file": str(self._ca_file), "sources": esddns.sources_of(self.box),
                         **detector},
        }

    @contextlib.contextmanager
    def system(self, environment=None, **detector):
        """A system to be started; it ends with the block, in order, or the bench fails."""
        self.box.set_wan(WAN)
        system = esddns.System(self.configuration(**detector),
                               environment={"GANDI_API_KEY": esddns.TOKEN} | (environment or {}))
        with open(os.devnull, "w", encoding="utf-8") as nothing:
            try:
                yield system
            except BaseException:
                sys.stderr.write(system.log_text())
                with contextlib.redirect_stdout(nothing), contextlib.suppress(AssertionError):
                    system.finish()
                raise
            with contextlib.redirect_stdout(nothing):
                system.finish()

    def change(self, system, address):
        """The world sees another address; returns when the record says so."""
        self.box.set_wan(address)
        system.detect()
        system.wait_address(address)
        system.wait_in_sync()


def processes(system):
    """{program: pid}, the supervisor first."""
    return {"esddns": system.pid,
            **{f"esddns-{unit}": pid for unit, pid in sorted(system.units().items())}}
