"""What the service accounts of k8s/base may do, and what they may not."""

import re

import pytest

OPERATOR, SERVICE = "esddns-operator", "esddns-service"
MAP, LEASE, LEASES = "esddns-wan-ip", "esddns-leader", "coordination.k8s.io"
EVENTS = "events.k8s.io"
ALL = {"create", "get", "list", "watch", "update", "patch", "delete"}
# (resource, name, group): verbs of the operator, verbs of the service
RIGHTS = {
    ("configmaps", MAP, ""): (ALL, {"get", "list", "watch"}),
    ("configmaps", "another", ""): ({"create"}, set()),
    ("configmaps", None, ""): ({"create"}, set()),
    ("leases", LEASE, LEASES): ({"create", "get", "update"}, set()),
    ("leases", "another", LEASES): ({"create"}, set()),
    ("events", None, EVENTS): ({"create"}, set()),
    ("events", None, ""): (set(), set()),
    ("services", "esddns-service", ""): ({"get"}, {"get"}),
    ("services", "another", ""): (set(), set()),
    ("secrets", None, ""): (set(), set()),
    ("secrets", "esddns-gandi-credentials", ""): (set(), set()),
    ("pods", None, ""): (set(), set()),
}


@pytest.mark.parametrize("account, column", [(OPERATOR, 0), (SERVICE, 1)])
def test_each_may_do_what_it_needs_and_no_more(plane, account, column):
    for (resource, name, group), verbs in RIGHTS.items():
        may = {verb for verb in ALL if plane.may(account, verb, resource, name, group)}
        assert may == verbs[column], f"{account}: {resource} {name} {group or 'core'}"


@pytest.mark.parametrize("account, verbs", [(OPERATOR, {"list", "watch"}), (SERVICE, set())])
def test_nodes_are_only_watched_and_nothing_else_is_allowed_elsewhere(plane, account, verbs):
    assert {v for v in ALL if plane.may(account, v, "nodes", "n", namespace="")} == verbs
    for resource, name, group in RIGHTS:
        for verb in ALL:
            assert not plane.may(account, verb, resource, name, group, namespace="default")


# What every authenticated user of a cluster may do (the ClusterRoles system:basic-user,
# system:discovery and system:public-info-viewer): it is not ours to give or to take.
EVERYBODYS = {("selfsubjectaccessreviews.authorization.k8s.io", "", "create"),
              ("selfsubjectrulesreviews.authorization.k8s.io", "", "create")}
LISTED = {
    OPERATOR: {("configmaps", "", "create"),
               ("configmaps", MAP, "get list watch update patch delete"),
               (f"leases.{LEASES}", "", "create"), (f"leases.{LEASES}", LEASE, "get update"),
               (f"events.{EVENTS}", "", "create"), ("nodes", "", "list watch"),
               ("services", "esddns-service", "get")},
    SERVICE: {("configmaps", MAP, "get list watch"), ("services", "esddns-service", "get")},
}
ROW = re.compile(r"(\S*)\s+\[(.*?)\]\s+\[(.*?)\]\s+\[(.*?)\]")


@pytest.mark.parametrize("account", LISTED)
def test_the_list_of_rights_has_nothing_that_is_not_needed(plane, account):
    """As an administrator looks at it: kubectl auth can-i --list."""
    said = plane.kubectl("auth", "can-i", "--list",
                         f"--as=system:serviceaccount:esddns:{account}")
    rows = [row.groups() for row in map(ROW.fullmatch, said.splitlines()[1:]) if row]
    assert len(rows) == len(said.splitlines()) - 1, said
    about_objects = {(resource, names, verbs) for resource, _, names, verbs in rows if resource}
    assert about_objects - EVERYBODYS == LISTED[account], said
    assert {verbs for resource, _, _, verbs in rows if not resource} == {"get"}
