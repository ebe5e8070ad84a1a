"""Who deploys: a directory, an environment, a command line, and perhaps a terminal."""

import contextlib
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 180
# Records what each kubectl is started with, and any readable file that holds the token by then.
SPY = """#!/bin/sh
{{ printf '%s\\n' "$*"; env; grep -r "{token}" "{directory}" "{temporary}"; }} >>"{log}"
exec "{kubectl}" "$@"
"""


class User:
    """Runs the scripts of a copy of k8s/, in a directory of its own."""

    def __init__(self, directory, kubeconfig, home):
        self.directory = directory / "work"
        self.temporary = directory / "tmp"
        self.k8s = directory / "a place, [so] #named" / "k8s"
        self.log = directory / "spy.log"
        self._bin = directory / "bin"
        for made in (self.directory, self.temporary, self._bin):
            made.mkdir()
        shutil.copytree(ROOT / "k8s", self.k8s)
        self.environment = {
            "PATH": f"{self._bin}:{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8",
            "TMPDIR": str(self.temporary), "KUBECONFIG": str(kubeconfig),
            "TARGET_DOMAIN_FQDN": "esddns.test"}

    def spy(self, token):
        """From now on each kubectl is recorded in self.log."""
        program = self._bin / "kubectl"
        self.log.touch()
        program.write_text(SPY.format(token=token, directory=self.directory, log=self.log,
                                      temporary=self.temporary, kubectl=shutil.which("kubectl")))
        program.chmod(0o755)

    def only(self, *programs):
        """A PATH with nothing but these."""
        place = self._bin.with_name("only")
        place.mkdir()
        for program in programs:
            (place / pathlib.Path(program).name).symlink_to(shutil.which(program))
        self.environment["PATH"] = str(place)

    def _how(self, changes):
        changed = self.environment | changes
        return {"cwd": self.directory,
                "env": {name: text for name, text in changed.items() if text is not None}}

    def run(self, *arguments, script="deploy.sh", code=0, shell=(), **changes):
        """Without a terminal; both streams, after its exit status was found to be `code`."""
        result = subprocess.run([*shell, self.k8s / script, *arguments], check=False, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=SECONDS, **self._how(changes))
        assert result.returncode == code, f"exit {result.returncode}, not {code}:\n{result.stdout}"
        assert not any(self.temporary.iterdir()), "something was left in TMPDIR"
        return result.stdout

    def kubectl(self, *arguments):
        """What it says."""
        result = subprocess.run(["kubectl", *arguments], check=False, text=True, timeout=SECONDS,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, **self._how({}))
        assert result.returncode == 0, result.stdout
        return result.stdout

    @contextlib.contextmanager
    def terminal(self, *arguments, script="deploy.sh", **changes):
        screen = Screen([self.k8s / script, *arguments], self._how(changes))
        try:
            yield screen
        finally:
            screen.close()

    def file(self, environment="production"):
        return self.directory / f"esddns-{environment}.yaml"


class Screen:
    """A program on a terminal of its own, and what is to be seen there."""

    def __init__(self, command, how):
        self._master, slave = pty.openpty()
        self.text = ""

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        # pylint: disable=subprocess-popen-preexec-fn
        self._process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave,
                                         preexec_fn=take_terminal, **how)
        self._slave = slave         # kept open, so that its settings can be read at the end

    def _read(self):
        """What comes within a moment."""
        if select.select([self._master], [], [], 0.1)[0]:
            self.text += os.read(self._master, 65536).decode(errors="replace")

    def wait_text(self, pattern):
        end = time.monotonic() + SECONDS
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, f"{pattern} does not appear:\n{self.text}"
            assert self._process.poll() is None or select.select([self._master], [], [], 0)[0], \
                f"it ended before {pattern} appeared:\n{self.text}"
            self._read()

    def type(self, text):
        os.write(self._master, text.encode())

    def wait_echo(self, wanted):
        end = time.monotonic() + SECONDS
        while self.echoes() != wanted:
            assert time.monotonic() < end, f"echo is not {wanted}:\n{self.text}"
            self._read()

    def echoes(self):
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def ended(self, code=0):
        """All that was shown, after its exit status was found to be `code`."""
        end = time.monotonic() + SECONDS
        while self._process.poll() is None:
            assert time.monotonic() < end, f"it does not end:\n{self.text}"
            self._read()
        while select.select([self._master], [], [], 0)[0]:
            self._read()
        assert self._process.returncode == code, \
            f"exit {self._process.returncode}, not {code}:\n{self.text}"
        return self.text

    def close(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._slave)
        os.close(self._master)
