"""Debian's Prometheus against real pods, configured as the Operator would by k8s/monitoring."""

import re
import secrets
import subprocess
import time

import yaml

import rulefile
import webclient
from cluster import WAN4
from fleet import BALANCER
from operator_config import local
from prometheus import Prometheus
from rulefile import ROOT
from waiting import wait_for
from world import INTERVAL, promtool

# the names of the seed's own documents, that dashboards of users may have
PROMISED = """esddns_dns_updates_total esddns_dns_update_failures_total esddns_wan_ip_changes_total
    esddns_wan_ip_discovery_failures_total esddns_endpoint_requests_total
    esddns_last_dns_update_timestamp esddns_current_wan_ip_info esddns_service_health
    esddns_state_poll_timestamp esddns_state_in_sync esddns_dns_record_ip_matches
    esddns_dns_update_duration_seconds_bucket esddns_wan_ip_discovery_duration_seconds_bucket
    esddns_endpoint_request_duration_seconds_bucket""".split()
COLLISION = re.compile(r"^exported_")


def wait_scraped(prometheus, fleet):
    def check():
        found = prometheus.targets()
        return found if set(found) == set(fleet.pods) and \
            all(t["health"] == "up" for t in found.values()) else None

    return wait_for(check, "all pods are found and scraped",
                    evidence=lambda: f"{prometheus.targets()}\n{prometheus.log_text()}")


def test_every_pod_is_found_by_its_service_and_scraped(prometheus, fleet):
    targets = wait_scraped(prometheus, fleet)
    for pod, target in targets.items():
        assert target["lastError"] == ""
        assert target["labels"] == fleet.labels(pod)
    wait_for(lambda: prometheus.value("count(up == 1)") == len(fleet.pods), "four are up")
    assert not prometheus.complaints()


def block(word):
    """The block of DEPLOYMENT.md in which the word stands."""
    text = (ROOT / "k8s" / "DEPLOYMENT.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return next(found for found in blocks if word in found)


def test_without_the_operator_the_documents_words_do(fleet, found, tmp_path):
    """Its commands make the rule file, and its configuration finds the same targets."""
    commands = [line for line in block("esddns.rules.yml").splitlines() if "kubectl" not in line]
    (tmp_path / "k8s").symlink_to(ROOT / "k8s")
    subprocess.run(["sh", "-euc", "\n".join(commands)], cwd=tmp_path, check=True, timeout=60)
    made = yaml.safe_load((tmp_path / "esddns.rules.yml").read_text(encoding="utf-8"))
    assert made == {"groups": rulefile.groups()}
    config = yaml.safe_load(block("scrape_configs:"))
    assert config.pop("rule_files") == ["esddns.rules.yml"]
    for job in config["scrape_configs"]:
        assert job.pop("kubernetes_sd_configs") == [{"role": "endpoints",
                                                     "namespaces": {"names": ["esddns"]}}]
        job["file_sd_configs"] = [{"files": [str(found)]}]
        job["relabel_configs"] += local(fleet.places)
    with Prometheus(config["scrape_configs"], rulefile.write, "1s") as prometheus:
        for pod, target in wait_scraped(prometheus, fleet).items():
            assert set(target["labels"].items()) <= set(fleet.labels(pod).items())
            assert {"namespace", "job", "pod", "instance"} <= set(target["labels"])


def test_values_are_those_that_the_pods_serve(prometheus, fleet):
    wait_scraped(prometheus, fleet)
    for pod, one in fleet.pods.items():
        chosen = f'pod="{pod}"'
        served = one.metrics()
        for name in ("esddns_leader", "esddns_state_in_sync", "esddns_followers",
                     "esddns_wan_ip_confirmed_timestamp", "esddns_last_dns_check_timestamp",
                     "esddns_loadbalancer_pending", "esddns_configmap_watched"):
            wait_for(lambda name=name, served=served, chosen=chosen: prometheus.value(
                f"{name}{{{chosen}}}") == served.value(name), f"{name} of {pod}")
        assert prometheus.value(f'esddns_current_wan_ip_info{{{chosen},ip_address="{WAN4}"}}') == 1
        assert prometheus.value(f'esddns_loadbalancer_ip_info{{{chosen},'
                                f'ip_address="{BALANCER}"}}') == 1
        assert prometheus.value(f'esddns_interval_seconds{{{chosen},component="updater"}}') == \
            INTERVAL
    assert prometheus.value("sum(esddns_leader)") == 1
    assert prometheus.value("count(esddns_leader)") == len(fleet.pods)
    assert prometheus.value('max(esddns_dns_updates_total{domain="example.com"})') == 1
    age = prometheus.value("time() - max(esddns_last_dns_check_timestamp)")
    assert 0 <= age < INTERVAL
    # the scrapes themselves are requests: a counter that grows
    wait_for(lambda: prometheus.value(
        'min(rate(esddns_endpoint_requests_total{endpoint="/metrics",status="200"}[5s]))') > 0,
        "requests are counted")


def test_what_was_promised_is_there(prometheus, fleet):
    wait_scraped(prometheus, fleet)
    names = set(prometheus.api("label/__name__/values"))
    assert not set(PROMISED) - names
    assert not [name for name in prometheus.api("labels") if COLLISION.match(name)]
    # a label of the target that a metric has too would have displaced the metric's own
    assert "alpha" in prometheus.api("label/service/values")
    assert "/metrics" in prometheus.api("label/endpoint/values")


def test_openmetrics_is_negotiated(prometheus, fleet):
    """Its metadata alone tells of units, and calls counters by a name without _total."""
    wait_scraped(prometheus, fleet)
    found = prometheus.api("targets/metadata", metric="esddns_unit_memory_bytes")
    assert {item["target"]["pod"] for item in found} == set(fleet.pods)
    assert {item["unit"] for item in found} == {"bytes"}
    assert prometheus.api("targets/metadata", metric="esddns_dns_updates")
    assert {item["type"] for item in prometheus.api("targets/metadata",
                                                    metric="esddns_dns_updates")} == {"counter"}


def test_promtool_finds_nothing_in_either_pod(fleet):
    for one in (fleet.pods[fleet.leader], *fleet.pods.values()):
        text = webclient.ask(one.metrics_port, "/metrics").text
        assert "esddns_build_info" in text
        code, said = promtool("check", "metrics", stdin=text)
        assert (code, said) == (0, ""), said


def test_no_alert_fires_while_all_is_well(prometheus, fleet):
    wait_scraped(prometheus, fleet)
    wait_for(lambda: all(rule["lastEvaluation"] > "0002" for rule in prometheus.rules()),
             "every rule was evaluated")
    rules = prometheus.rules()
    assert {r["name"] for r in rules if r["type"] == "alerting"} == set(rulefile.alerts())
    for rule in rules:
        assert rule["health"] == "ok" and not rule.get("lastError"), rule
    since = max(rule["lastEvaluation"] for rule in rules)
    wait_for(lambda: min(r["lastEvaluation"] for r in prometheus.rules()) > since, "once more")
    assert prometheus.api("alerts")["alerts"] == []
    for record in (r["name"] for r in rules if r["type"] == "recording"):
        found = prometheus.query(record)
        assert found and all(0 <= value < 1 for _, value in found), (record, found)
    assert not prometheus.complaints()


def wait_firing(prometheus, names, limit=60):
    def check():
        return set(prometheus.firing()) == names

    wait_for(check, f"{names or 'none'} and nothing else fires", limit,
             lambda: f"{prometheus.api('alerts')}\n{prometheus.complaints()}")
    return prometheus.firing()


def check_told(alerts, *words):
    """It fires once, and its texts are whole and have these words."""
    assert len(alerts) == 1, alerts
    text = " ".join(alerts[0]["annotations"].values())
    assert all(word in text for word in words), text
    assert "<" not in text and "{{" not in text and "%!" not in text, text


def test_faults_fire_the_alert_that_fits_and_no_other(prometheus, fleet, tmp_path):
    """With rules whose durations are HURRY times as short, and nothing else changed."""
    wait_scraped(prometheus, fleet)
    prometheus.take_rules(lambda path: rulefile.write(path, rulefile.hurried()))
    wait_firing(prometheus, set())
    refused_token(prometheus, fleet)
    unwatched(prometheus, fleet)
    foreign_key(prometheus, fleet, tmp_path)
    dead_pods(prometheus, fleet)
    names_exist(prometheus)


def refused_token(prometheus, fleet):
    fleet.box.call("PUT", "/gandi/token", {"bearer": "another", "apikey": "another"})
    fleet.sync()
    fleet.wait_record("attention")
    alert = wait_firing(prometheus, {"ESDDNSTokenRefused"})["ESDDNSTokenRefused"]
    check_told(alert, "example.com", "example.com. Nothing", "esddns-gandi-credentials")
    assert alert[0]["labels"] == {"alertname": "ESDDNSTokenRefused", "severity": "critical",
                                  "namespace": "esddns"}
    fleet.box.call("PUT", "/gandi/token", {"bearer": "sandbox-token", "apikey": "sandbox-apikey"})
    fleet.sync()
    fleet.wait_record("in_sync")
    wait_firing(prometheus, set())


def unwatched(prometheus, fleet):
    """One node that the API server cannot be reached from."""
    pod = fleet.standbys[0]
    fleet.pods[pod].proxy.cut()
    alert = wait_firing(prometheus, {"ESDDNSConfigMapNotWatched"}, 120)
    check_told(alert["ESDDNSConfigMapNotWatched"], f": {pod}.", "- 1.")
    fleet.pods[pod].proxy.heal()
    wait_firing(prometheus, set(), 120)


def foreign_key(prometheus, fleet, tmp_path):
    """One pod with another peer key. Real news are too rare for hurried rules: see the metric."""
    pod = fleet.standbys[0]
    one = fleet.pods[pod]
    key = tmp_path / "key"
    key.write_text(secrets.token_hex(32))
    one.stop()
    one.write_config(cluster={"peers": {"key_file": str(key)}})
    one.start()
    chosen = f'esddns_messages_dropped_total{{pod="{pod}",reason="unauthentic"}}'
    wait_for(lambda: prometheus.value(chosen) > 0, "what the leader says is not believed", 120,
             one.evidence)      # it speaks every 30 s, and as often counts are passed on
    one.stop()
    one.write_config(cluster={"peers": {"key_file": str(fleet.peer_key)}})
    one.start()
    one.wait_in_sync()
    wait_firing(prometheus, set(), 120)


def dead_pods(prometheus, fleet):
    pod = fleet.standbys[-1]
    fleet.pods[pod].kill_all()
    alert = wait_firing(prometheus, {"ESDDNSOperatorPodDown"})
    check_told(alert["ESDDNSOperatorPodDown"], f": {pod}.", "- 1.")
    shows = next(p for p, job in fleet.jobs.items() if job == "esddns-service")
    fleet.pods[shows].kill_all()
    alert = wait_firing(prometheus, {"ESDDNSOperatorPodDown", "ESDDNSServiceDown"})
    check_told(alert["ESDDNSServiceDown"], "esddns-service")


def names_exist(prometheus):
    """All that rules ask for was served by some pod in the time of these tests."""
    since = time.time() - 3600
    for rule, text in rulefile.texts():
        for name, matchers in rulefile.selectors(text):
            if name == "ALERTS":
                continue
            found = prometheus.api("series", **{"match[]": name}, start=since, end=time.time())
            assert found, f"{rule} asks for {name}, which nobody serves"
            for label, value in matchers.items():
                assert all(label in series for series in found), (rule, name, label)
                wanted = re.compile(value)
                assert any(wanted.fullmatch(series[label]) for series in found) or \
                    in_the_sources(value), f"{rule}: no {name} has {label}={value}"


def in_the_sources(values):
    """Each of these alternatives is a text that a program can say, though it did not here."""
    sources = [file.read_text(encoding="utf-8") for folder in ("updater", "supervisor", "ipc")
               for file in (ROOT / folder).glob("*.c")]
    return all(any(f'"{value}"' in text for text in sources) for value in values.split("|"))
