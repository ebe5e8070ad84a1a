"""k8s/monitoring's rules, as promtool and Prometheus read them."""

import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "k8s" / "monitoring"
DURATION = re.compile(r"\b(\d+)(ms|s|m|h|d)\b")
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
# a metric, and what stands in its braces
SELECTOR = re.compile(r"\b(up|ALERTS|esddns[a-z0-9_:]*)\b(?:\s*\{([^}]*)\})?(?!\s*\()")
MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
HURRY = 60      # how much faster time runs for hurried rules


def objects():
    """All objects of the folder, as kubectl apply -f reads it."""
    found = []
    for file in sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("*.yml"), *FOLDER.glob("*.json")]):
        found += [o for o in yaml.safe_load_all(file.read_text(encoding="utf-8")) if o]
    return found


def named(kind, name):
    return next(o for o in objects() if o["kind"] == kind and o["metadata"]["name"] == name)


def groups():
    return named("PrometheusRule", "esddns-alerts")["spec"]["groups"]


def rules():
    return [rule for group in groups() for rule in group["rules"]]


def alerts():
    """By name; a name that stands twice would be two conditions for one thing."""
    found = [rule for rule in rules() if "alert" in rule]
    by_name = {rule["alert"]: rule for rule in found}
    assert len(by_name) == len(found)
    return by_name


def write(path, of=None):
    """A rule file: what is in force, or `of`."""
    pathlib.Path(path).write_text(yaml.safe_dump({"groups": of or groups()}, sort_keys=False),
                                  encoding="utf-8")
    return path


def seconds(duration):
    return sum(int(n) * SECONDS[unit] for n, unit in DURATION.findall(str(duration)))


def hurried():
    """The same rules, with all of their durations HURRY times as short: 5m is 5s."""
    def hurry(text):
        return re.sub(r"\[(\w+)\]", lambda m: f"[{shorter(m[1])}]", text)

    def shorter(duration):
        return f"{round(seconds(duration) * 1000 / HURRY)}ms"

    quick = []
    for group in groups():
        copies = []
        for rule in group["rules"]:
            copy = dict(rule, expr=hurry(rule["expr"]))
            if "for" in rule:
                copy["for"] = shorter(rule["for"])
            if "annotations" in rule:
                copy["annotations"] = {k: hurry(v) for k, v in rule["annotations"].items()}
            copies.append(copy)
        quick.append(dict(group, rules=copies))
    return quick


def selectors(text):
    """(metric, {label: value}) for each one that an expression or a template asks for."""
    return [(name, dict(MATCHER.findall(matchers or "")))
            for name, matchers in SELECTOR.findall(text)]


def texts():
    """Every expression, by the rule's name; those that its templates ask too."""
    for rule in rules():
        name = rule.get("alert") or rule["record"]
        yield name, rule["expr"]
        for text in rule.get("annotations", {}).values():
            for query in re.findall(r"`([^`]*)`", text):
                yield name, query
