"""Runs the image as a user of Docker would, by podman and runc, in a storage of its own."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import esddns
import logread
import webclient
from waiting import LIMIT, wait_for

# Root's own limits may be lower than what runc would ask for.
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")
# What a careful user adds. The program makes its runtime directory in /run.
READ_ONLY = ("--read-only", "--read-only-tmpfs=false", "--tmpfs", "/run")
CAREFUL = (*READ_ONLY, "--tmpfs", "/var/lib/esddns", "--cap-drop", "ALL",
           "--security-opt", "no-new-privileges")


class Engine:
    """podman with one image; a context manager."""

    def __init__(self, archive):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="esi.", dir="/tmp"))
        try:
            self.image = self.podman("load", "-q", "-i", archive).rpartition(" ")[2]
            self.about = json.loads(self.podman("image", "inspect", self.image))[0]
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.call("rm", "--all", "--force", "--time", "0")
        self.call("rmi", "--all", "--force")
        for mount in self.mounts():
            subprocess.run(["umount", mount], check=False)
        shutil.rmtree(self.directory)

    def mounts(self):
        """Mounts below its storage, the innermost first."""
        lines = pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        return [path for path in reversed([line.split()[1] for line in lines])
                if path.startswith(f"{self.directory}/")]

    def call(self, *arguments, limit=60):
        """podman with these arguments: (exit code, what it printed, what it complained of)."""
        result = subprocess.run(
            ["podman", "--root", self.directory / "storage", "--runroot", self.directory / "runroot",
             "--cgroup-manager", "cgroupfs", "--events-backend", "none", *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False)
        return result.returncode, result.stdout.decode(), result.stderr.decode()

    def podman(self, *arguments, limit=60):
        code, said, complaint = self.call(*arguments, limit=limit)
        assert code == 0, f"podman {' '.join(map(str, arguments))}: {complaint}"
        return said.strip()

    def options(self):
        # podman leaves the timing of a health check to systemd, which need not run here: the tests
        # run the check themselves.
        return ["--runtime", "runc", *LIMITS, "--network", "host", "--no-healthcheck",
                "--log-driver", "k8s-file"]

    def forget_pages(self):
        """Nothing of the image is in memory: what a container then needs of it is its own."""
        top = self.podman("image", "mount", self.image)
        os.sync()
        for folder, _, names in os.walk(top):
            for name in names:
                file = os.open(f"{folder}/{name}", os.O_RDONLY)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)
        self.podman("image", "unmount", self.image)

    def run_to_end(self, *command, options=()):
        """The image with these arguments, to its end: (exit code, all that it said)."""
        code, said, complaint = self.call("run", "--rm", *self.options(), *options, self.image, *command)
        return code, said + complaint


class Container:
    """One that runs against a sandbox. start() and finish() belong together."""

    def __init__(self, engine, config, options=(), environment=None, owner=None):
        self.engine = engine
        self.port, self.metrics_port = esddns.free_ports(2)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="esc.", dir="/tmp"))
        self.directory.chmod(0o755)
        config = esddns.merge(config, {"webd": {"listen": [f"127.0.0.1:{self.port}"],
                                                "metrics": [f"127.0.0.1:{self.metrics_port}"]}})
        self._mounts = []
        config = {key: value for key, value in config.items() if value is not None}
        self.mount("esddns.yaml", esddns.render(config), "/etc/esddns/esddns.yaml")
        self._take_authority(config)
        self._options = options
        self._environment = {"GANDI_API_KEY": esddns.TOKEN} if environment is None else environment
        if owner is not None:
            self._mount_token(owner)
        self.identity = None

    def mount(self, name, content, place):
        """A file that is in the container, for everyone to read there."""
        file = self.directory / name
        file.write_text(content, encoding="utf-8")
        file.chmod(0o644)
        self._mounts += ["-v", f"{file}:{place}:ro"]

    def _mount_token(self, owner):
        """The token, in a file that only this user may read."""
        self.mount("token", f"{esddns.TOKEN}\n", "/etc/esddns/gandi/token")
        os.chown(self.directory / "token", owner, owner)
        (self.directory / "token").chmod(0o400)

    def _take_authority(self, config):
        file = config["provider"]["ca_file"]
        if file is not None:
            self.mount("ca.crt", pathlib.Path(file).read_text(encoding="utf-8"), file)

    def start(self):
        variables = [part for name, value in self._environment.items()
                     for part in ("--env", f"{name}={value}")]
        self.identity = self.engine.podman(
            "run", "--detach", *self.engine.options(), *variables, *self._mounts, *self._options,
            self.engine.image)
        return self

    def inspect(self):
        return json.loads(self.engine.podman("inspect", self.identity))[0]

    @property
    def pid(self):
        """Of its first process, as the host sees it."""
        return self.inspect()["State"]["Pid"]

    def execute(self, *command):
        """A command in it: (exit code, all that it said)."""
        code, said, complaint = self.engine.call("exec", self.identity, *command)
        return code, said + complaint

    def check_health(self):
        """What Docker would find: the status of the image's HEALTHCHECK."""
        kind, *command = self.engine.about["Healthcheck"]["Test"]
        assert kind == "CMD", "there is no shell for CMD-SHELL"
        return self.execute(*command)

    def stop(self, seconds=10):
        """As `docker stop`, which kills after so many seconds. The exit code; 137 if it was killed."""
        self.engine.podman("stop", "--time", str(seconds), self.identity)
        return self.inspect()["State"]["ExitCode"]

    def restart(self):
        self.engine.podman("restart", "--time", "10", self.identity)

    def log_text(self):
        code, said, complaint = self.engine.call("logs", self.identity)
        assert code == 0, complaint
        return said + complaint

    def log_lines(self, *words):
        events, _ = logread.parse(self.log_text())
        return [event for event in events if all(word in event.text for word in words)]

    def ask(self, path):
        return webclient.ask(self.port, path)

    def state(self):
        return self.ask("/api/v1/state").json

    def wait_in_sync(self, limit=LIMIT):
        def in_sync():
            state = self.state()
            return state if state["records"] and all(r["in_sync"] for r in state["records"]) and \
                state["verdict"]["level"] == "good" else None

        return wait_for(in_sync, "all records in sync", limit, self.log_text)

    def finish(self):
        """Ends it and checks what every test promises. Shows the log."""
        text = ""
        try:
            if self.identity is not None:
                code = self.stop()
                text = self.log_text()
                assert code == 0, f"the container ended with {code}"
                _, strays = logread.parse(text)
                assert not strays, f"lines of the log that are no events: {strays}"
                assert esddns.TOKEN not in text, "the token is in the log"
        finally:
            print(f"--- the log of the container:\n{text}")
            if self.identity is not None:
                self.engine.call("rm", "--force", "--time", "0", "--volumes", self.identity)
            shutil.rmtree(self.directory)


def working_set(pid):
    """The memory of the process's container, in bytes, as the kubelet counts it."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            group = pathlib.Path(f"/sys/fs/cgroup/memory{path}")
            usage, inactive = group / "memory.usage_in_bytes", "total_inactive_file"
        elif controllers == "" and os.path.exists(f"/sys/fs/cgroup{path}/memory.current"):
            group = pathlib.Path(f"/sys/fs/cgroup{path}")
            usage, inactive = group / "memory.current", "inactive_file"
        else:
            continue
        figures = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return int(usage.read_text()) - int(figures[inactive])
    raise AssertionError(f"no cgroup counts the memory of process {pid}")
