"""Hours and months of a fleet's metrics for "promtool test rules", made from real ones.

A World begins as what the pods of a running, healthy system said, with time going on: the checks
and confirmations of every interval, the leader's answers. A test then changes what a fault would
change. promtool's clock begins at 0, so times in Unix seconds are moved to there.
"""

import math
import subprocess

import yaml

STALE, NOTHING = "stale", "_"
INTERVAL = 300      # seconds, of the system that was asked
MOVING = ("esddns_last_dns_check_timestamp", "esddns_wan_ip_confirmed_timestamp")
# of the leader, once in an interval
COUNTED = ("esddns_wan_ip_answers_total", "esddns_wan_ip_rounds_total")


class Pod:
    """What one of them said: its target's labels, its samples, and when (Unix seconds)."""

    def __init__(self, labels, exposition, asked_at):
        self.labels, self.asked_at = labels, asked_at
        self.samples = [(name, dict(labels), value) for family in exposition.families.values()
                        for (name, labels), value in family.samples.items()]

    @property
    def name(self):
        return self.labels["pod"]

    @property
    def leads(self):
        return any(name == "esddns_leader" and value for name, _, value in self.samples)


class World:
    """`minutes` of it, with a sample every `step` minutes; only metrics of `names`."""

    def __init__(self, pods, names, minutes, step=1):
        self.minutes, self.step = minutes, step
        self.length = minutes // step + 1
        self.pods = pods
        self.leader = next(pod.name for pod in pods if pod.leads)
        self.standbys = [pod.name for pod in pods
                         if not pod.leads and pod.labels["job"] == "esddns-operator"]
        self.shows = next(pod.name for pod in pods if pod.labels["job"] == "esddns-service")
        self._series = {}
        for pod in pods:
            self._put("up", pod.labels, [1] * self.length)
            for name, labels, value in pod.samples:
                if name in names:
                    self._put(name, labels | pod.labels, self._going_on(pod, name, value))

    def _put(self, name, labels, values):
        key = name, tuple(sorted(labels.items()))
        assert key not in self._series, f"{key} is there twice"
        self._series[key] = values

    def _going_on(self, pod, name, value):
        """That sample from now on, while all is well."""
        intervals = [i * self.step * 60 // INTERVAL for i in range(self.length)]
        if name.endswith("_timestamp") and value > 0:
            value -= math.floor(pod.asked_at)
        if name in MOVING:
            return [value + INTERVAL * n for n in intervals]
        if name in COUNTED and pod.leads:
            return [value + n for n in intervals]
        return [value] * self.length

    def names(self):
        return [pod.name for pod in self.pods]

    # --- what a fault changes ---------------------------------------------------------------

    def select(self, name, **labels):
        """Its series with these labels; an error if there is none: that would test nothing."""
        found = [key for key in self._series if key[0] == name and
                 all(dict(key[1]).get(label) == text for label, text in labels.items())]
        if not found:
            raise LookupError(f"the real system has no {name}{labels}")
        return found

    def change(self, name, how, start, end=None, **labels):
        """values[i] becomes how(old value, minute) from minute `start` to before `end`."""
        last = self.length if end is None else min(self.length, -(-end // self.step))
        for key in self.select(name, **labels):
            values = self._series[key]
            for i in range(-(-start // self.step), last):
                values[i] = how(values[i], i * self.step)

    def set(self, name, value, start, end=None, **labels):
        self.change(name, lambda _, __: value, start, end, **labels)

    def stop(self, name, start, end=None, **labels):
        """It stays what it was (a time), then goes on."""
        for key in self.select(name, **labels):
            held = self._series[key][max(0, start // self.step - 1)]
            self.change(name, lambda _, __, held=held: held, start, end, **dict(key[1]))

    def grow(self, name, start, end=None, every=1, **labels):
        """A counter grows by one each `every` minutes, and keeps what it has got."""
        top = (self.minutes if end is None else end) - start

        def more(old, minute):
            return old + (min(minute - start, top) // every) + 1 if minute >= start else old

        self.change(name, more, start, None, **labels)

    def grow_new(self, name, start, end=None, every=1, **labels):
        """The same for one that was not there before, on the pod of that name."""
        pod = next(p for p in self.pods if p.name == labels["pod"])
        self._put(name, labels | pod.labels, [NOTHING] * self.length)
        self.set(name, 0, start, **labels)
        self.grow(name, start, end, every, **labels)

    def appear(self, name, value, start, end=None, **labels):
        """A series that is there only from `start` to before `end`, as a pod's."""
        pod = next(p for p in self.pods if p.name == labels["pod"])
        self._put(name, labels | pod.labels, [NOTHING] * self.length)
        self.set(name, value, start, end, **labels)
        if end is not None:
            self.set(name, STALE, end, end + self.step, **labels)

    def away(self, pod, start, end=None, known=True):
        """It cannot be scraped; with known=False it is no target any more."""
        last = self.length if end is None else -(-end // self.step)
        first = -(-start // self.step)
        for key, values in self._series.items():
            if dict(key[1])["pod"] != pod:
                continue
            for i in range(first, min(last, self.length)):
                values[i] = STALE if i == first else NOTHING
            if key[0] == "up" and known:
                values[first:last] = [0] * (min(last, self.length) - first)

    def copy_pod(self, old, name, instance):
        """Another one that says the same."""
        for (metric, labels), values in list(self._series.items()):
            if dict(labels)["pod"] == old:
                self._put(metric, dict(labels) | {"pod": name, "instance": instance}, list(values))

    # --- for promtool -----------------------------------------------------------------------

    def input_series(self):
        return [{"series": f"{name}{{{','.join(f'{k}={quote(v)}' for k, v in labels)}}}",
                 "values": " ".join(notation(values))}
                for (name, labels), values in self._series.items()]


def quote(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def number(value):
    return str(int(value)) if value == int(value) else repr(value)


def notation(values):
    """promtool's: a+bxn are n+1 samples, each b more than the one before."""
    i = 0
    while i < len(values):
        if isinstance(values[i], str):
            n = i
            while n < len(values) and values[n] == values[i]:
                n += 1
            yield from [values[i]] * (n - i) if values[i] == STALE else [f"_x{n - i}"]
            i = n
            continue
        n, by = i + 1, 0
        if n < len(values) and not isinstance(values[n], str):
            by = values[n] - values[i]
            while n < len(values) and not isinstance(values[n], str) and \
                    values[n] - values[n - 1] == by:
                n += 1
        if n - i == 1:
            yield number(values[i])
        else:
            yield f"{number(values[i])}{'-' if by < 0 else '+'}{number(abs(by))}x{n - i - 1}"
        i = n


def promtool(*arguments, stdin=None):
    """(exit code, all that it said)"""
    result = subprocess.run(["promtool", *map(str, arguments)], input=stdin, text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    return result.returncode, result.stdout


def write_test(path, rule_file, world, expressions=(), alerts=(), every="1m"):
    """A test file. expressions: (at minute, expression, {labels as text: value}); alerts: (at
    minute, name), of each of which nothing is expected."""
    test = {"interval": f"{world.step}m", "input_series": world.input_series(),
            "promql_expr_test": [
                {"expr": expression, "eval_time": f"{minute}m",
                 "exp_samples": [{"labels": k, "value": v} for k, v in expected.items()]}
                for minute, expression, expected in expressions],
            "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": name, "exp_alerts": []}
                                for minute, name in alerts]}
    path.write_text(yaml.safe_dump({"rule_files": [str(rule_file)], "evaluation_interval": every,
                                    "tests": [test]}, sort_keys=False), encoding="utf-8")
    return path
