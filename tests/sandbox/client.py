"""Starts a sandbox and talks to its control API: what a test in Python needs.

    with client.Sandbox() as sandbox:
        sandbox.fault("alpha", mode="wrong", address="203.0.113.66")
        sandbox.set_wan("198.20.0.8")
        ... run what is tested against sandbox.state["https_url"] ...
        assert sandbox.rrset("example.com", "@", "A")["rrset_values"] == ["198.20.0.8"]
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

PROGRAM = pathlib.Path(__file__).resolve().with_name("sandbox.py")
START_SECONDS = 30
STOP_SECONDS = 5


class ControlError(Exception):
    """The control API refused; the status and its sentence."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


class Sandbox:
    """One running sandbox; a context manager. `state` is what its state file said."""

    def __init__(self, *arguments):
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="esddns-sandbox-client-"))
        self.state_file = self._directory / "state.json"
        # A proxy of the environment must not come between a test and loopback.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._process = None
        try:
            self._process = subprocess.Popen(
                [sys.executable, str(PROGRAM), "--quiet", "--with-parent",
                 "--state-file", str(self.state_file),
                 "--tls-dir", str(self._directory / "tls"), *arguments])
            self.state = self._wait_for_state()
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _wait_for_state(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.state_file.exists():
                return json.loads(self.state_file.read_text(encoding="utf-8"))
            if self._process.poll() is not None:
                raise RuntimeError(f"the sandbox ended with {self._process.returncode}")
            time.sleep(0.02)
        raise RuntimeError(f"the sandbox did not start within {START_SECONDS} s")

    def stop(self):
        """Ends it and returns its exit code; a second call is harmless."""
        code = None
        if self._process is not None:
            self._process.terminate()
            try:
                code = self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                code = self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)
        return code

    def call(self, method, path, body=None):
        """One call of the control API; a body that is not a string goes as JSON."""
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        request = urllib.request.Request(self.state["control_url"] + path, method=method,
                                         data=body.encode() if body is not None else None)
        try:
            with self._opener.open(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(error.code, error.read().decode().strip()) from None

    def set_wan(self, address):
        """A new address of its family; ipv4=None is spelled call("PUT", "/wan/ipv4", "none")."""
        self.call("PUT", "/wan/ipv6" if ":" in address else "/wan/ipv4", address)

    def fault(self, name, **spec):
        self.call("PUT", f"/fault/{name}", spec)

    def heal(self, name=None):
        self.call("DELETE", f"/fault/{name}" if name else "/fault")

    def counts(self):
        return self.call("GET", "/counts")

    def log(self, name=None):
        return [e for e in self.call("GET", "/log") if name in (None, e["name"])]

    def clear_log(self):
        self.call("DELETE", "/log")

    def zone(self, fqdn="example.com"):
        return self.call("GET", f"/zone/{fqdn}")

    def rrset(self, fqdn, name, kind):
        """One record set, or None where there is none."""
        try:
            return self.call("GET", self._place(fqdn, name, kind))
        except ControlError as error:
            if error.status != 404:
                raise
            return None

    def edit(self, fqdn, name, kind, values, ttl=300):
        self.call("PUT", self._place(fqdn, name, kind), {"rrset_values": values, "rrset_ttl": ttl})

    def erase(self, fqdn, name, kind):
        self.call("DELETE", self._place(fqdn, name, kind))

    @staticmethod
    def _place(fqdn, name, kind):
        return f"/zone/{fqdn}/{urllib.parse.quote(name, safe='')}/{kind}"
