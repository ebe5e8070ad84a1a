"""The Grafana dashboard: sound, the same in both places, and every query has an answer.

There is no Grafana here: what it does with the queries is done by hand (its variables put in, and
asked of a real Prometheus); how it looks is not tested.
"""

import json
import os
import re

import pytest
import yaml

from rulefile import FOLDER, ROOT, named, selectors
from waiting import wait_for

SOURCE = ROOT / "k8s" / "grafana" / "esddns.json"
COPY = FOLDER / "grafana-dashboard.yaml"
SCHEMA = 42         # of Grafana 12
WIDTH = 24
HEAD = """\
# k8s/grafana/esddns.json for the sidecar of Grafana's chart, which takes every ConfigMap with this
# label. Made from that file: ESDDNS_GOLDEN_WRITE=1 pytest tests/monitoring/test_dashboard.py
"""
# What Grafana puts in; [$__rate_interval] as for the tests' scrape interval
VARIABLES = {"$__rate_interval": "10s", "$__range": "1m", "$__interval": "5s",
             "$namespace": ".*", "$instance": ".*"}
KNOWN = {"stat", "timeseries", "table", "state-timeline"}


def dashboard():
    return json.loads(SOURCE.read_text(encoding="utf-8"))


def panels():
    return [p for p in dashboard()["panels"] if p["type"] != "row"]


def queries():
    return [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


def put_in(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


class Literal(str):
    """A text that YAML shows line by line."""


yaml.SafeDumper.add_representer(
    Literal, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|"))


def config_map():
    made = {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "esddns-dashboard", "namespace": "esddns",
                         "labels": {"app.kubernetes.io/name": "esddns", "grafana_dashboard": "1"}},
            "data": {"esddns.json": Literal(SOURCE.read_text(encoding="utf-8"))}}
    return HEAD + yaml.safe_dump(made, sort_keys=False, width=10000, allow_unicode=True)


def test_the_config_map_holds_the_dashboard():
    if os.environ.get("ESDDNS_GOLDEN_WRITE"):
        COPY.write_text(config_map(), encoding="utf-8")
        pytest.fail("grafana-dashboard.yaml was written, not compared")
    assert COPY.read_text(encoding="utf-8") == config_map(), "ESDDNS_GOLDEN_WRITE=1 writes it"
    assert json.loads(named("ConfigMap", "esddns-dashboard")["data"]["esddns.json"]) == dashboard()


def test_it_is_sound():
    board = dashboard()
    assert (board["schemaVersion"], board["uid"], board["title"]) == (SCHEMA, "esddns", "ESDDNS")
    assert "id" not in board        # Grafana's own number of it
    ids = [p["id"] for p in board["panels"]]
    assert len(ids) == len(set(ids))
    variables = {v["name"]: v for v in board["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "instance"]
    assert variables["datasource"]["type"] == "datasource"
    for panel in panels():
        assert panel["type"] in KNOWN and panel["title"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        references = [t["refId"] for t in panel["targets"]]
        assert references and len(references) == len(set(references))


def test_panels_do_not_overlap():
    taken = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_each_query_is_of_the_chosen_pods():
    for title, expression in queries():
        for name, matchers in selectors(expression):
            wanted = {"namespace"} if name == "ALERTS" else {"namespace", "instance"}
            assert wanted <= set(matchers), (title, name)


def test_every_query_has_an_answer(prometheus):
    wait_for(lambda: prometheus.value("count(up == 1)") == 4, "all pods are scraped")
    for title, expression in queries():
        asked = put_in(expression)

        def answered(asked=asked):
            return prometheus.query(asked) and prometheus.query_range(asked, 60, "5s")

        wait_for(answered, f"{title} shows something: {asked}", 60)
    for title, expression in queries():
        for labels, value in prometheus.query(put_in(expression)):
            assert value == value and abs(value) != float("inf"), (title, labels, value)


def test_legends_name_labels_that_the_answers_have(prometheus):
    for panel in panels():
        for target in panel["targets"]:
            wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            found = prometheus.query(put_in(target["expr"]))
            named_by = set().union(*(set(labels) for labels, _ in found)) if found else wanted
            # a counter of what has not happened yet has an answer without labels
            assert wanted <= named_by or any(not labels for labels, _ in found), panel["title"]


def test_variables_offer_what_there_is(prometheus):
    of_it = {"match[]": "esddns_build_info"}
    assert prometheus.api("label/namespace/values", **of_it) == ["esddns"]
    assert len(prometheus.api("label/instance/values", **of_it)) == 4
