"""One ESDDNS under test: its configuration, its processes, its log, and what it shows."""

import html.parser
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import logread
import processes
import webclient
from waiting import LIMIT, wait_for

TOKEN = "sandbox-token"
PROGRAMS = ("esddns", "esddns-detector", "esddns-updater", "esddns-webd")
STOP_LIMIT = 12     # seconds; the supervisor's own limit is 8
STUCK_SECONDS = 0.5
BUILD = os.path.abspath(os.environ.get("ESDDNS_BUILD", "."))


def is_sanitized():
    """Sanitizers make everything a few times slower; promises about time are for plain builds."""
    return b"__asan_init" in pathlib.Path(f"{BUILD}/esddns").read_bytes()


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def render(config):
    """YAML: one key a line, its value in flow style, which is what JSON is."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())


def merge(base, changes):
    """base with the changes; mappings are merged, everything else is replaced."""
    result = dict(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            value = merge(result[key], value)
        result[key] = value
    return result


def sources_of(box):
    """Five operators: three of HTTPS in each format, two of STUN over each transport."""
    of = box.state["sources"]
    return [{"operator": "alpha", "url": of["alpha"]["plain"]},
            {"operator": "bravo", "url": of["bravo"]["trace"], "format": "trace"},
            {"operator": "charlie", "url": of["charlie"]["json"], "format": "json", "key": "ip"},
            {"operator": "stun1", "url": of["stun1"]["udp"]},
            {"operator": "stun2", "url": of["stun2"]["tcp"]}]


def config_for(box, **changes):
    """A configuration against a sandbox, with short times. Ports and directories come later."""
    ca_file = box.state["ca_file"]
    return merge({
        "records": [{"zone": "example.com", "name": "@", "type": "A", "ttl": 300}],
        "provider": {"url": box.state["gandi_url"], "ca_file": ca_file, "timeout": "3s"},
        "detector": {"interval": "30s", "tripwire": "1s", "timeout": "2s", "confirm": "300ms",
                     "ca_file": ca_file, "sources": sources_of(box)},
        "updater": {"interval": "30s"},
    }, changes)


class Text(html.parser.HTMLParser):
    """The text of a page, as a person reads it; `title` and the version of its state."""

    def __init__(self, source):
        super().__init__()
        self._parts, self._open = [], []
        self.title = self.version = None
        self.feed(source)
        self.close()
        self.text = " ".join(" ".join(self._parts).split())

    def handle_starttag(self, tag, attrs):
        if tag == "main":
            self.version = dict(attrs).get("data-version")
        if tag in ("script", "style", "title"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data):
        if not self._open:
            self._parts.append(data)
        elif self._open[-1] == "title" and self.title is None:
            self.title = data       # the first: pictures have titles too


class System:
    """A supervisor with its workers. start() and finish() belong together."""

    def __init__(self, config, environment=None, uid=None, wrap=(), port=None, build=BUILD):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="esd.", dir="/tmp"))
        self.port, self.metrics_port = (port, port + 1) if port else free_ports(2)
        self.file = self.directory / "esddns.yaml"
        self.log_file = self.directory / "log"
        self.config = merge({
            "runtime_dir": str(self.directory / "run"), "state_dir": str(self.directory / "state"),
            "webd": {"listen": [f"127.0.0.1:{self.port}"],
                     "metrics": [f"127.0.0.1:{self.metrics_port}"]}}, config)
        self.environment = {"GANDI_API_KEY": TOKEN} if environment is None else environment
        self.strays_allowed = ()
        self._uid, self._wrap, self._build = uid, list(wrap), build
        self._process = None
        self.expected_codes = (0,)
        self.write_config()
        if uid is not None:
            self._belong_to(uid)

    def _belong_to(self, uid):
        """The directory is that user's, and so are copies of the programs."""
        for program in PROGRAMS:
            shutil.copy(f"{self._build}/{program}", self.directory)
        self._build = self.directory
        for path in (self.directory, *self.directory.iterdir()):
            os.chown(path, uid, uid)

    # --- processes -------------------------------------------------------------------

    def write_config(self, **changes):
        self.config = merge(self.config, changes)
        self.file.write_text(render(self.config), encoding="utf-8")

    def child_environment(self):
        # TMPDIR is handed on to the workers: by it every process of this system is known.
        base = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TMPDIR": str(self.directory),
                "ESDDNS_LIBEXECDIR": str(self._build), "UBSAN_OPTIONS": "print_stacktrace=1"}
        if "ASAN_OPTIONS" in os.environ:
            base["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
        return base | self.environment

    def wrap(self, command):
        """From the next start on this command, which may need root, comes before it."""
        self._wrap = list(command)

    def start(self):
        self.expected_codes = (0,)
        identity, wrap = {}, self._wrap
        if self._uid is not None and wrap:      # what wraps it needs root
            wrap = [*wrap, "setpriv", f"--reuid={self._uid}", f"--regid={self._uid}",
                    "--clear-groups", "--bounding-set=-all", "--"]
        elif self._uid is not None:
            identity = {"user": self._uid, "group": self._uid, "extra_groups": []}
        with open(self.log_file, "ab") as log:
            self._process = subprocess.Popen(
                [*wrap, f"{self._build}/esddns", "-c", str(self.file)], stderr=log,
                stdout=log, stdin=subprocess.DEVNULL, env=self.child_environment(),
                cwd=self.directory, **identity)
        return self

    @property
    def pid(self):
        return self._process.pid

    def running(self):
        return self._process is not None and self._process.poll() is None

    def units(self):
        return processes.units_of(self.pid)

    def pid_of(self, unit):
        return wait_for(lambda: self.units().get(unit), f"a process of {unit}",
                        evidence=self.log_text)

    def send(self, number):
        self._process.send_signal(number)

    def detect(self):
        """A round now, as `kill -USR1` asks for it."""
        self.send(signal.SIGUSR1)

    def stop(self, number=signal.SIGTERM):
        """Ends it in order; (exit code, seconds it took)."""
        started = time.monotonic()
        self.send(number)
        return self.wait(), time.monotonic() - started

    def wait(self, limit=STOP_LIMIT):
        stuck = {}

        def ended():
            help_leak_checks(self.units().values(), stuck)
            return not self.running()

        wait_for(ended, "esddns ends", limit, self.log_text)
        return self._process.returncode

    def kill(self):
        """kill -9 of the supervisor."""
        self.expected_codes = (-signal.SIGKILL,)
        self._process.kill()
        self._process.wait()

    def leftovers(self):
        return processes.marked(f"TMPDIR={self.directory}\0")

    def finish(self):
        """Stops what runs and checks what every test promises. Shows the log."""
        try:
            if self.running():
                self.stop()
            wait_for(lambda: not self.leftovers(), "no process is left behind", 5,
                     lambda: str([processes.stat(pid) for pid in self.leftovers()]))
            self.check_log()
            code = self._process.returncode if self._process else 0
            assert code in self.expected_codes, f"esddns ended with {code}"
        finally:
            print(f"--- the log of {self.directory}:\n{self.log_text()}")
            for pid in self.leftovers():
                os.kill(pid, signal.SIGKILL)
            if self.running():
                self._process.kill()
                self._process.wait()
            shutil.rmtree(self.directory, ignore_errors=True)

    # --- the log ---------------------------------------------------------------------

    def log_text(self):
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text(encoding="utf-8", errors="backslashreplace")

    def log(self, unit=None, level=None, **fields):
        """The events so far, of a unit, a level, and with these fields."""
        events, _ = logread.parse(self.log_text())
        return [e for e in events if unit in (None, e.unit) and level in (None, e.level) and
                all(str(e.get(key)) == str(value) for key, value in fields.items())]

    def log_lines(self, *words):
        """The events in whose line all of these words occur."""
        return [e for e in self.log() if all(word in e.text for word in words)]

    def wait_log(self, *words, limit=LIMIT, more_than=0):
        """The events with these words, once there are more than that many."""
        def check():
            found = self.log_lines(*words)
            return found if len(found) > more_than else None

        return wait_for(check, f"a line of the log with {words}", limit, self.log_text)

    def check_log(self):
        text = self.log_text()
        for mark in logread.SANITIZERS:
            assert mark not in text, f"a sanitizer reports:\n{text}"
        _, strays = logread.parse(text)
        allowed = (*self.strays_allowed, *logread.REMARKS)
        strays = [line for line in strays if not any(a in line for a in allowed)]
        # a unit without a process tells of its last one when it is stopped: that is no finding
        asked = {e.worker for e in self.log_lines("the unit is stopping")}
        killed = [e.text for e in self.log_lines("the unit has stopped", "signal 9")
                  if e.worker in asked]
        assert not killed, f"workers did not stop in time: {killed}"
        assert not strays, f"lines of the log that are no events: {strays}"
        token = self.environment.get("GANDI_API_KEY", TOKEN)
        assert token not in text, "the token is in the log"

    # --- what webd shows ----------------------------------------------------------------

    def ask(self, path, **how):
        return webclient.ask(self.port, path, **how)

    def state(self):
        return self.ask("/api/v1/state").json

    def raw(self):
        return self.ask("/raw").json

    def page(self):
        answer = self.ask("/")
        assert answer.status == 200
        return Text(answer.text)

    def metrics(self, openmetrics=False):
        return webclient.metrics(self.metrics_port, openmetrics)

    def metric(self, name, **labels):
        return self.metrics().value(name, **labels)

    def wait_state(self, condition, what, limit=LIMIT):
        """The state (JSON) once the condition holds for it."""
        def check():
            state = self.state()
            return state if condition(state) else None

        return wait_for(check, what, limit, self.evidence)

    def wait_page(self, *words, limit=LIMIT):
        def check():
            page = self.page()
            return page if all(word in page.text for word in words) else None

        return wait_for(check, f"a page with {words}", limit, self.evidence)

    def evidence(self):
        try:
            shown = json.dumps(self.state(), indent=1)
        except (OSError, ValueError) as error:
            shown = f"(the page is not reachable: {error})"
        return f"{shown}\n{self.log_text()}"

    def wait_in_sync(self, limit=LIMIT):
        """All records are in sync for addresses that are agreed upon."""
        return self.wait_state(
            lambda s: s["records"] and all(r["in_sync"] for r in s["records"]) and
            s["verdict"]["level"] == "good", "all records in sync", limit)

    def wait_address(self, address, limit=LIMIT):
        family = "ipv6" if ":" in address else "ipv4"
        return self.wait_state(lambda s: s["wan"][family]["address"] == address and
                               s["wan"][family]["state"] == "agreed",
                               f"{address} is agreed upon", limit)


def help_leak_checks(pids, stuck):
    """Helps those that have been waiting for the same thread for a while, see processes.py."""
    for pid in pids:
        thread = processes.stuck_leak_check(pid)
        since, before = stuck.get(pid, (0, None))
        if thread is None or thread != before:
            stuck[pid] = time.monotonic(), thread
        elif time.monotonic() - since > STUCK_SECONDS:
            processes.stop_thread(pid, thread)
            stuck[pid] = time.monotonic(), None


def tells(text, sentence):
    """Does the text hold the sentence? On a page it begins with a capital and ends with a stop."""
    return sentence[1:].rstrip(".") in text


def vote(state, operator, family="ipv4"):
    """One operator's vote in the last round."""
    return next(v for v in state["wan"][family]["votes"] if v["operator"] == operator)


def run_esddns(*arguments, environment=None, limit=LIMIT, build=BUILD):
    """esddns with these arguments, to its end; (exit code, all that it said)."""
    result = subprocess.run(
        [f"{build}/esddns", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, timeout=limit, check=False,
        env={"PATH": os.environ["PATH"], "ESDDNS_LIBEXECDIR": str(build)} | (environment or {}))
    text = result.stdout.decode()
    assert not any(mark in text for mark in logread.SANITIZERS), text
    return result.returncode, text
