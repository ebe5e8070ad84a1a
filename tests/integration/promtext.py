"""A strict reader of both metrics formats: what it accepts, any scraper accepts.

Classic text format 0.0.4 and OpenMetrics 1.0, as far as counters, gauges and histograms go.
"""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)\Z")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|\Z)')
META = re.compile(rf"# (HELP|TYPE|UNIT) ({NAME}) (.+)\Z")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


class Malformed(AssertionError):
    pass


class Family:
    def __init__(self, name):
        self.name = name
        self.type = self.help = self.unit = None
        self.samples = {}


def need(condition, line, why):
    if not condition:
        raise Malformed(f"{why}: {line!r}")


def parse_labels(text, line):
    labels, at = {}, 0
    while text and at < len(text):
        match = LABEL.match(text, at)
        need(match and match[1] not in labels, line, "malformed labels")
        labels[match[1]] = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])
        at = match.end()
        need(not (match[0].endswith(",") and at == len(text)), line, "comma at the end of labels")
    return labels


def parse_value(text, line):
    try:
        value = float(text.replace("+Inf", "inf"))
    except ValueError:
        raise Malformed(f"not a number: {line!r}") from None
    need(not math.isnan(value), line, "NaN")
    return value


def sample_suffix(family, name, openmetrics):
    """What the sample's name adds to the family's, or None if it does not belong to it."""
    suffixes = SUFFIXES[family.type]
    if family.type == "counter" and not openmetrics:
        suffixes = ("",) if family.name.endswith("_total") else ()
    for suffix in suffixes:
        if name == family.name + suffix:
            return suffix
    return None


def check_histogram(family):
    """Buckets rise, end in +Inf, and agree with _count; each series has all three parts."""
    series = {}
    for (name, labels), value in family.samples.items():
        key = tuple(pair for pair in labels if pair[0] != "le")
        part = series.setdefault(key, {"buckets": []})
        le = dict(labels).get("le")
        if name.endswith("_bucket"):
            need(le is not None, name, "bucket without le")
            part["buckets"].append((float(le.replace("+Inf", "inf")), value))
        else:
            need(le is None, name, "le outside of a bucket")
            part[name.rpartition("_")[2]] = value
    for key, part in series.items():
        bounds = [bound for bound, _ in part["buckets"]]
        counts = [count for _, count in part["buckets"]]
        need(bounds == sorted(set(bounds)) and bounds and bounds[-1] == math.inf, key, "buckets")
        need(counts == sorted(counts), key, "buckets are not cumulative")
        need(part.get("count") == counts[-1] and "sum" in part, key, "count, sum")
        need(part["sum"] >= 0 and (part["count"] > 0 or part["sum"] == 0), key, "sum")


class Exposition:
    """A whole exposition. Samples by name and labels: value("esddns_x_total", domain="...")."""

    def __init__(self, text, openmetrics):
        self.families = {}
        self.openmetrics = openmetrics
        need(text.endswith("\n") and "\r" not in text, text[-40:], "lines must end in a newline")
        lines = text[:-1].split("\n")
        if openmetrics:
            need(lines[-1] == "# EOF", lines[-1], "OpenMetrics must end in # EOF")
            lines.pop()
        self._family = None
        for line in lines:
            self._take(line)
        for family in self.families.values():
            need(family.type and family.help, family.name, "family without TYPE or HELP")
            need(family.samples, family.name, "family without samples")
            if family.type == "histogram":
                check_histogram(family)

    def _take(self, line):
        need(line and line == line.strip(), line, "blank line or blanks at an end")
        if line.startswith("#"):
            self._take_meta(line)
            return
        match = SAMPLE.match(line)
        need(match, line, "no sample")
        family = self._family
        need(family is not None and family.type, line, "sample before its TYPE")
        need(sample_suffix(family, match[1], self.openmetrics) is not None, line,
             f"sample does not belong to {family.name}")
        key = (match[1], tuple(sorted(parse_labels(match[2], line).items())))
        need(key not in family.samples, line, "sample is there twice")
        value = parse_value(match[3], line)
        need(family.type == "gauge" or value >= 0, line, "negative count")
        family.samples[key] = value

    def _take_meta(self, line):
        match = META.match(line)
        need(match, line, "malformed comment")
        kind, name, text = match.groups()
        if self._family is None or self._family.name != name:
            need(name not in self.families, line, "family is there twice")
            self._family = self.families[name] = Family(name)
        family = self._family
        need(not family.samples and getattr(family, kind.lower()) is None, line, "out of place")
        need(kind != "TYPE" or text in SUFFIXES, line, "unknown type")
        need(kind != "UNIT" or self.openmetrics and name.endswith("_" + text), line, "bad unit")
        setattr(family, kind.lower(), text)

    def samples(self, name):
        """All samples of that name: a list of (labels, value)."""
        return [(dict(labels), value) for family in self.families.values()
                for (sample, labels), value in family.samples.items() if sample == name]

    def value(self, name, **labels):
        """The sum over the samples that have these labels; KeyError if there is none."""
        found = [value for have, value in self.samples(name)
                 if all(have.get(key) == text for key, text in labels.items())]
        if not found:
            raise KeyError(f"{name}{labels}")
        return sum(found)
