"""The alerts by promtool, on hours of a real system's metrics into which faults are put.

Each fires in a case of its own, once, and no other with it; and each has a case that comes near
to it and stays quiet.
"""

import inspect
import re

import pytest

import rulefile
from world import NOTHING, STALE, World, promtool, write_test

NEVER = -10 ** 9        # Unix seconds; 0 would be today for promtool, whose clock begins there
A = {"domain": "example.com", "record_type": "A"}
CASES = []


def case(alert, minutes, at=None):
    """`at`: by this minute it fires, and nothing else ever does; without, nothing does at all."""
    def take(change):
        CASES.append((alert, minutes, at, change))
        return change

    return take


# --- is it there? ----------------------------------------------------------------------------


@case("ESDDNSOperatorDown", 40, at=16)
def every_operator_pod_is_gone(w):
    for pod in (w.leader, *w.standbys):
        w.away(pod, 10, known=False)


@case("ESDDNSOperatorDown", 40, at=16)
def every_operator_pod_is_down(w):
    for pod in (w.leader, *w.standbys):
        w.away(pod, 10)


@case("ESDDNSOperatorDown", 60)
def one_after_the_other_is_replaced(w):
    """A rolling update: each is away for two minutes, and another one leads."""
    for n, pod in enumerate((w.leader, *w.standbys)):
        w.away(pod, 10 + 3 * n, 12 + 3 * n)
    w.set("esddns_leader", 0, 12, pod=w.leader)
    w.set("esddns_leader", 1, 12, pod=w.standbys[0])


@case("ESDDNSOperatorPodDown", 60, at=30)
def a_pod_is_down(w):
    w.away(w.standbys[0], 10)


@case("ESDDNSOperatorPodDown", 60, at=30)
def two_pods_are_down(w):
    """One fault, one alert."""
    for pod in w.standbys:
        w.away(pod, 10)


@case("ESDDNSOperatorPodDown", 90, at=45)
def a_pod_comes_up_for_moments_and_crashes(w):
    for minute in range(10, 80, 5):
        w.away(w.standbys[0], minute, minute + 4)


@case("ESDDNSOperatorPodDown", 60, at=30)
def another_program_answers_at_the_port(w):
    w.away(w.standbys[0], 10)
    w.set("up", 1, 10, pod=w.standbys[0])


@case("ESDDNSOperatorPodDown", 60)
def a_node_starts_again(w):
    w.away(w.standbys[0], 10, 16)


@case("ESDDNSOperatorPodDown", 60)
def a_node_is_taken_out(w):
    w.away(w.standbys[0], 10, 12)
    w.away(w.standbys[0], 12, known=False)


@case("ESDDNSServiceDown", 40, at=16)
def the_page_is_away(w):
    w.away(w.shows, 10)


@case("ESDDNSServiceDown", 40)
def the_page_moves_to_another_node(w):
    w.away(w.shows, 10, 14)


@case("ESDDNSServicePodDown", 60, at=30)
def one_of_two_pages_is_away(w):
    another_page(w)
    w.away("esddns-page-2", 10)


@case("ESDDNSServicePodDown", 60)
def one_of_two_pages_is_replaced(w):
    another_page(w)
    w.away("esddns-page-2", 10, 13)


def another_page(w):
    w.copy_pod(w.shows, "esddns-page-2", "10.244.2.7:8080")


@case("ESDDNSLoadBalancerPending", 60, at=26)
def no_load_balancer_comes(w):
    w.set("esddns_loadbalancer_pending", 1, 10)


@case("ESDDNSLoadBalancerPending", 60)
def the_load_balancer_comes_and_some_pods_have_not_looked_yet(w):
    for pod in (w.leader, *w.standbys, w.shows):
        w.set("esddns_loadbalancer_pending", 1, 10, 20 if pod == w.leader else 26, pod=pod)


# --- does it know the address? ---------------------------------------------------------------


def nobody_leads(w, start, end=None):
    w.set("esddns_leader", 0, start, end)
    w.stop("esddns_wan_ip_confirmed_timestamp", start, end)
    w.stop("esddns_last_dns_check_timestamp", start, end)
    w.set("esddns_state_in_sync", 0, start + 10, end)


@case("ESDDNSNoLeader", 120, at=25)
def the_api_server_is_gone(w):
    """And all follows from that: no confirmation, no check, nothing watched, nothing fresh."""
    nobody_leads(w, 12)
    w.set("esddns_configmap_watched", 0, 12)


@case("ESDDNSNoLeader", 120)
def the_api_server_starts_again(w):
    nobody_leads(w, 12, 15)
    w.set("esddns_configmap_watched", 0, 12, 15)


@case("ESDDNSNoLeader", 90)
def a_new_leader_every_ten_minutes(w):
    """Each is scraped before the old one's end is."""
    pods = [w.leader, *w.standbys]
    w.set("esddns_leader", 0, 0, pod=w.leader)
    for n in range(9):
        w.set("esddns_leader", 1, 10 * n, 10 * n + 11, pod=pods[n % 3])


@case("ESDDNSOperatorPodDown", 120, at=35)
def the_leader_cannot_be_scraped_and_leads(w):
    """Nobody says "I lead"; but the others go on hearing of its rounds."""
    w.away(w.leader, 10)


@case("ESDDNSSeveralLeaders", 60, at=20)
def two_lead(w):
    w.set("esddns_leader", 1, 10, pod=w.standbys[0])


@case("ESDDNSSeveralLeaders", 60)
def a_leader_is_followed_by_another(w):
    """Both were scraped as leaders, one of them a little earlier."""
    w.set("esddns_leader", 1, 10, pod=w.standbys[0])
    w.set("esddns_leader", 0, 12, pod=w.leader)


def sources_are_silent(w, start, end=None):
    w.stop("esddns_wan_ip_confirmed_timestamp", start, end)
    w.stop("esddns_wan_ip_answers_total", start, end, pod=w.leader)
    w.grow("esddns_wan_ip_discovery_failures_total", start, end, pod=w.leader)


@case("ESDDNSAddressUncertain", 120, at=30)
def the_line_is_down(w):
    """No source is reached, and neither is the provider."""
    sources_are_silent(w, 12)
    w.grow("esddns_dns_update_failures_total", 12, every=4, pod=w.leader, error_type="timeout")
    w.stop("esddns_last_dns_check_timestamp", 12)
    w.set("esddns_state_in_sync", 0, 22)


@case("ESDDNSAddressUncertain", 120, at=30)
def the_sources_contradict_each_other(w):
    """Nothing is agreed, so nobody is outvoted; records are read as ever."""
    w.stop("esddns_wan_ip_confirmed_timestamp", 12)


@case("ESDDNSAddressUncertain", 60, at=10)
def no_address_was_ever_found(w):
    for name in ("esddns_wan_ip_confirmed_timestamp", "esddns_last_dns_check_timestamp"):
        w.set(name, NEVER, 0)
    for name in ("esddns_state_in_sync", "esddns_dns_record_ip_matches"):
        w.set(name, 0, 0)


@case("ESDDNSAddressUncertain", 120)
def the_line_is_down_for_five_minutes(w):
    sources_are_silent(w, 12, 17)


@case("ESDDNSAddressUncertain", 600)
def a_longer_interval_is_configured(w):
    """An hour; both are late by a quarter of it."""
    w.set("esddns_interval_seconds", 3600, 0)
    for name in ("esddns_wan_ip_confirmed_timestamp", "esddns_last_dns_check_timestamp"):
        w.change(name, lambda _, minute: 60 * (minute // 75 * 75), 0)


@case("ESDDNSSourceDisagrees", 240, at=90)
def a_source_lies(w):
    w.grow("esddns_wan_ip_disagreements_total", 10, every=5, pod=w.leader, service="alpha")


@case("ESDDNSSourceDisagrees", 240)
def a_source_is_late_at_a_change(w):
    """It names the old address for three rounds."""
    w.grow("esddns_wan_ip_disagreements_total", 70, 73, pod=w.leader, service="alpha")


@case("ESDDNSSourcesFailing", 900, at=500)
def a_source_is_gone(w):
    w.stop("esddns_wan_ip_answers_total", 10, pod=w.leader, service="alpha")
    w.grow("esddns_wan_ip_discovery_failures_total", 10, every=5, pod=w.leader, service="alpha")


@case("ESDDNSSourcesFailing", 900, at=500)
def two_sources_are_gone(w):
    for service in ("alpha", "bravo"):
        w.stop("esddns_wan_ip_answers_total", 10, pod=w.leader, service=service)
        w.grow("esddns_wan_ip_discovery_failures_total", 10, every=5, pod=w.leader,
               service=service)


@case("ESDDNSSourcesFailing", 900)
def a_source_is_away_for_an_afternoon(w):
    w.stop("esddns_wan_ip_answers_total", 10, 300, pod=w.leader, service="alpha")
    w.grow("esddns_wan_ip_discovery_failures_total", 10, 300, every=5, pod=w.leader,
           service="alpha")


# --- are the records right? ------------------------------------------------------------------


def refused(w, start, end=None, why="unauthorized"):
    for pod in w.names():
        w.appear("esddns_record_error_info", 1, start, end, pod=pod, error_type=why, **A)
    w.set("esddns_record_needs_attention", 1, start, end)
    w.set("esddns_state_in_sync", 0, start, end)
    w.set("esddns_dns_record_ip_matches", 0, start, end)
    w.stop("esddns_last_dns_check_timestamp", start, end)
    w.grow("esddns_dns_update_failures_total", start, end, every=5, pod=w.leader,
           error_type="unauthorized")


@case("ESDDNSTokenRefused", 180, at=20)
def the_token_has_expired(w):
    refused(w, 10)


@case("ESDDNSTokenRefused", 180, at=20)
def the_token_may_not_write_that_zone(w):
    refused(w, 10, why="forbidden")


@case("ESDDNSTokenRefused", 180)
def a_new_token_is_put_in_place(w):
    refused(w, 10, 14)


@case("ESDDNSRecordNeedsAttention", 180, at=20)
def the_zone_is_unknown(w):
    refused(w, 10, why="invalid")


@case("ESDDNSRecordNeedsAttention", 180)
def the_zone_is_made(w):
    refused(w, 10, 14, why="invalid")


def wrong(w, start, end=None):
    w.set("esddns_state_in_sync", 0, start, end)
    w.set("esddns_dns_record_ip_matches", 0, start, end)


@case("ESDDNSRecordOutOfSync", 180, at=25)
def the_record_is_only_observed(w):
    wrong(w, 10)


@case("ESDDNSRecordOutOfSync", 180, at=25)
def the_provider_is_away_when_the_address_changes(w):
    wrong(w, 10)
    w.grow("esddns_dns_update_failures_total", 10, every=4, pod=w.leader, error_type="timeout")
    w.stop("esddns_last_dns_check_timestamp", 10)


@case("ESDDNSRecordOutOfSync", 180, at=45)
def one_pod_is_cut_off_and_knows_only_the_old_address(w):
    """It calls the record right until that is too old to be said."""
    cut = w.standbys[0]
    wrong(w, 10)
    w.set("esddns_dns_record_ip_matches", 1, 10, pod=cut)
    w.set("esddns_state_in_sync", 1, 10, 20, pod=cut)
    w.stop("esddns_wan_ip_confirmed_timestamp", 10, pod=cut)
    w.stop("esddns_last_dns_check_timestamp", 10, pod=cut)


@case("ESDDNSRecordOutOfSync", 180)
def an_address_changes_and_a_backup_writes_it(w):
    wrong(w, 10, 13)
    w.grow("esddns_dns_update_failures_total", 10, 13, pod=w.leader, error_type="timeout")


@case("ESDDNSRecordOutOfSync", 180)
def one_pod_has_just_started_and_knows_nothing_yet(w):
    wrong_here = {"pod": w.standbys[0]}
    for name in ("esddns_state_in_sync", "esddns_dns_record_ip_matches"):
        w.set(name, 0, 10, **wrong_here)


@case("ESDDNSNoRecentCheck", 180, at=30)
def the_updater_hangs(w):
    w.stop("esddns_last_dns_check_timestamp", 12)
    w.set("esddns_state_in_sync", 0, 22)


@case("ESDDNSNoRecentCheck", 180)
def a_check_is_late(w):
    w.stop("esddns_last_dns_check_timestamp", 12, 22)
    w.set("esddns_state_in_sync", 0, 20, 22)


@case("ESDDNSNoRecentCheck", 180)
def one_pod_hears_of_no_check(w):
    w.stop("esddns_last_dns_check_timestamp", 12, pod=w.standbys[0])
    w.set("esddns_state_in_sync", 0, 22, pod=w.standbys[0])


@case("ESDDNSUpdateFailures", 180, at=60)
def the_provider_is_away(w):
    """The record was right; it is tried again every four minutes."""
    w.grow("esddns_dns_update_failures_total", 12, every=4, pod=w.leader, error_type="timeout")
    w.stop("esddns_last_dns_check_timestamp", 12)
    w.set("esddns_state_in_sync", 0, 22)


@case("ESDDNSUpdateFailures", 180, at=60)
def one_node_cannot_reach_the_provider(w):
    """Another one does its work. The kind of failure was never counted before."""
    w.grow_new("esddns_dns_update_failures_total", 12, every=4, pod=w.leader,
               error_type="unreachable", **A)


@case("ESDDNSUpdateFailures", 180)
def the_provider_stumbles(w):
    """Five failures within seconds, and it is over."""
    w.change("esddns_dns_update_failures_total", lambda old, _: old + 5, 12, pod=w.leader,
             error_type="timeout")


@case("ESDDNSUpdateFailures", 600)
def a_request_fails_now_and_then(w):
    w.grow("esddns_dns_update_failures_total", 12, every=30, pod=w.leader, error_type="timeout")


# --- is it healthy? --------------------------------------------------------------------------


@case("ESDDNSUnitFailing", 90, at=30)
def a_unit_ends_again_and_again(w):
    w.grow("esddns_unit_restarts_total", 10, every=3, pod=w.standbys[0], unit="detector")


@case("ESDDNSUnitFailing", 60, at=15)
def a_unit_is_given_up(w):
    """Where the supervisor goes on without it (on_failure: degrade)."""
    w.set("esddns_unit_state", STALE, 10, 11, pod=w.standbys[0], unit="updater", state="active")
    w.set("esddns_unit_state", NOTHING, 11, pod=w.standbys[0], unit="updater", state="active")
    w.appear("esddns_unit_state", 1, 10, pod=w.standbys[0], unit="updater", state="failed")


@case("ESDDNSUnitFailing", 120)
def a_unit_is_killed_once_in_each_pod(w):
    for n, pod in enumerate((w.leader, *w.standbys)):
        w.grow("esddns_unit_restarts_total", 10 + n, 11 + n, pod=pod, unit="detector")


@case("ESDDNSConfigMapNotWatched", 90, at=35)
def a_node_cannot_reach_the_api_server(w):
    pod = w.standbys[0]
    w.set("esddns_configmap_watched", 0, 10, pod=pod)
    w.stop("esddns_wan_ip_confirmed_timestamp", 10, pod=pod)
    w.stop("esddns_last_dns_check_timestamp", 10, pod=pod)
    w.set("esddns_state_in_sync", 0, 20, pod=pod)


@case("ESDDNSConfigMapNotWatched", 90)
def watches_are_made_anew(w):
    """Always some pod's, never one for long."""
    for n, pod in enumerate((w.leader, *w.standbys)):
        for minute in range(n, 80, 3):
            w.set("esddns_configmap_watched", 0, minute, minute + 1, pod=pod)


@case("ESDDNSPeerKeyDiffers", 90, at=35)
def a_pod_has_another_key(w):
    w.grow_new("esddns_messages_dropped_total", 10, pod=w.standbys[0], reason="unauthentic")


@case("ESDDNSPeerKeyDiffers", 90)
def the_key_changes_and_pods_are_replaced_in_turn(w):
    for n, pod in enumerate((w.leader, *w.standbys)):
        w.grow_new("esddns_messages_dropped_total", 10 + n, 12 + n, pod=pod, reason="unauthentic")


# --- and they are run ------------------------------------------------------------------------


@pytest.fixture(scope="module", name="rule_file")
def fixture_rule_file(tmp_path_factory):
    return rulefile.write(tmp_path_factory.mktemp("rules") / "esddns.rules.yaml")


@pytest.fixture(scope="module", name="names")
def fixture_names():
    """The metrics that rules look at: the others would only take time."""
    return {name for _, text in rulefile.texts() for name, _ in rulefile.selectors(text)}


def test_promtool_accepts_the_rules(rule_file):
    code, said = promtool("check", "rules", rule_file)
    assert code == 0 and f"SUCCESS: {len(rulefile.rules())} rules found" in said, said


def test_every_alert_fires_in_one_case_and_is_quiet_in_another():
    fires = {alert for alert, _, at, _ in CASES if at is not None}
    quiet = {alert for alert, _, at, _ in CASES if at is None}
    assert fires == quiet == set(rulefile.alerts())


@pytest.mark.parametrize("alert, minutes, at, change", CASES,
                         ids=[f"{c[0]}-{c[3].__name__}" for c in CASES])
def test_case(alert, minutes, at, change, pods, names, rule_file, tmp_path):
    world = World(pods, names, minutes)
    change(world)
    fired = f'ALERTS{{alertstate="firing"}}[{minutes + 1}m]'
    once = {} if at is None else {f'{{alertname="{alert}"}}': 1}
    checks = [(minutes, f"count by (alertname) (count_over_time({fired}))", once)]
    if at is not None:
        checks.append((at, 'count by (alertname) (ALERTS{alertstate="firing"})', once))
    code, said = promtool("test", "rules",
                          write_test(tmp_path / "test.yaml", rule_file, world, checks))
    assert code == 0, f"{inspect.getdoc(change)}\n{said}"


ADDRESSES = {"summary", "description", "runbook"}


def test_texts_name_what_is_wrong(pods, names, rule_file, tmp_path):
    """Every template is filled in, and says where to look further."""
    fires = {c[0]: c for c in reversed(CASES) if c[2] is not None}      # its first case
    for alert, minutes, at, change in fires.values():
        world = World(pods, names, minutes)
        change(world)
        file = write_test(tmp_path / "texts.yaml", rule_file, world, alerts=[(at, alert)])
        code, said = promtool("test", "rules", file)
        told = re.search(r"Annotations:\{(.*)\}", said)
        assert code != 0 and told, said     # none was expected, so that it is shown
        text = told[1].replace('\\"', '"')
        print(f"{alert}: {text}")
        assert all(f"{key}=" in text for key in ADDRESSES), text
        assert not re.search(r"<no value>|<error|\{\{|%!|\bNaN\b|:\\.|  ", text), text
        if "range" in rulefile.alerts()[alert]["annotations"]["description"]:
            assert re.search(r": (esddns-node|example\.com|alpha)", text), text


def test_each_alert_has_its_section():
    """The alert's name is the heading, and the heading is the anchor."""
    document = (rulefile.ROOT / "k8s" / "DEPLOYMENT.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (ESDDNS\w+)\n(.*?)(?=^##|\Z)", document,
                               re.MULTILINE | re.DOTALL))
    assert set(sections) == set(rulefile.alerts())
    assert all(text.strip() for text in sections.values()), sections


def test_each_alert_says_how_urgent_it_is_and_where_its_section_is():
    for name, rule in rulefile.alerts().items():
        assert rule["labels"] == {"severity": rule["labels"]["severity"]}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == ADDRESSES
        assert rule["annotations"]["runbook"] == f"k8s/DEPLOYMENT.md#{name.lower()}"
        assert rule["for"] and rule["expr"]
