"""Debian's Prometheus: started on loopback, and asked by its query API."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

import yaml

from controlplane import die_with_parent
from esddns import free_ports
from waiting import wait_for

LEVEL = re.compile(r"\blevel=(warn|error)\b")


class Prometheus:
    """A context manager. `configs`: its scrape configurations; `rules(path)` writes its rules."""

    def __init__(self, configs, rules, every):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="esdprom.", dir="/tmp"))
        self.log_file = self.directory / "log"
        self.port = free_ports(1)[0]
        self._rules = self.directory / "rules.yaml"
        rules(self._rules)
        self.config = {"global": {"scrape_interval": every, "scrape_timeout": every,
                                  "evaluation_interval": every},
                       "rule_files": [str(self._rules)], "scrape_configs": configs}
        self.config_file = self.directory / "prometheus.yaml"
        self.config_file.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        self._process = None
        # a proxy of the environment must not come between a test and loopback
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __enter__(self):
        with open(self.log_file, "ab") as log:
            # pylint: disable=subprocess-popen-preexec-fn
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={self.config_file}",
                 f"--storage.tsdb.path={self.directory}/data", "--web.enable-lifecycle",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        try:
            wait_for(lambda: self._process.poll() is None and self._ask("/-/ready"),
                     "Prometheus is ready", evidence=self.log_text)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log_text(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def complaints(self):
        """Lines of its log at a level above info."""
        return [line for line in self.log_text().splitlines() if LEVEL.search(line)]

    def _ask(self, path, post=False, **parameters):
        query = urllib.parse.urlencode(parameters, doseq=True)
        url = f"http://127.0.0.1:{self.port}{path}" + (f"?{query}" if query else "")
        request = urllib.request.Request(url, method="POST" if post else "GET")
        with self._opener.open(request, timeout=30) as response:
            return response.read().decode()

    def take_rules(self, rules):
        rules(self._rules)
        self._ask("/-/reload", post=True)

    def api(self, path, **parameters):
        answer = json.loads(self._ask(f"/api/v1/{path}", **parameters))
        assert answer["status"] == "success" and not answer.get("warnings"), answer
        return answer["data"]

    def query(self, expression, **parameters):
        """[(labels, value)] of an instant vector or a scalar."""
        data = self.api("query", query=expression, **parameters)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(item["metric"], float(item["value"][1])) for item in data["result"]]

    def value(self, expression):
        """Of the one sample that it has; LookupError if that is not known (yet)."""
        found = self.query(expression)
        if len(found) != 1:
            raise LookupError(f"{expression}: {found}")
        return found[0][1]

    def query_range(self, expression, seconds, step):
        """The series that it has in the last `seconds`."""
        now = time.time()
        return self.api("query_range", query=expression, start=now - seconds, end=now,
                        step=step)["result"]

    def targets(self):
        """By pod; all that are scraped."""
        return {target["labels"]["pod"]: target for target in self.api("targets")["activeTargets"]}

    def rules(self):
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"]]

    def firing(self):
        """{alert: [its labels and annotations]}, of those that fire."""
        found = {}
        for alert in self.api("alerts")["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert)
        return found
