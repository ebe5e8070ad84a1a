"""kubectl apply -f and delete -f of k8s/monitoring, on a real control plane.

The Operator's CustomResourceDefinitions are fixtures (crds.yaml): they cannot be fetched here.
"""

import rulefile
from plane import FOLDER
from rulefile import named, objects

KINDS = "services,configmaps,servicemonitors,prometheusrules"


def there(plane):
    return set(plane.kubectl("get", KINDS, "-l", "app.kubernetes.io/name=esddns", "-o",
                             "name").split()) - {"service/esddns-service"}


def test_the_folder_comes_goes_and_comes_again(plane):
    before = there(plane)
    said = plane.kubectl("apply", "-f", str(FOLDER)).splitlines()
    assert len(said) == len(objects())
    assert {"servicemonitor.monitoring.coreos.com/esddns-operator",
            "servicemonitor.monitoring.coreos.com/esddns-service",
            "prometheusrule.monitoring.coreos.com/esddns-alerts",
            "service/esddns-operator-metrics", "service/esddns-service-metrics",
            "configmap/esddns-dashboard"} == there(plane)
    again = plane.kubectl("apply", "-f", str(FOLDER)).splitlines()
    assert len(again) == len(said) and all(line.endswith(" unchanged") for line in again), again
    # what the API server keeps is what was written: nothing misspelt was dropped
    for kind, plural in (("ServiceMonitor", "servicemonitors"),
                         ("PrometheusRule", "prometheusrules")):
        for kept in plane.monitoring(plural):
            written = named(kind, kept["metadata"]["name"])
            assert kept["spec"] == written["spec"]
            assert kept["metadata"]["labels"] == written["metadata"]["labels"]
    plane.kubectl("delete", "-f", str(FOLDER))
    assert not there(plane)
    if before:      # other tests want it
        plane.kubectl("apply", "-f", str(FOLDER))


def test_users_find_it_by_the_labels_that_were_promised():
    """serviceMonitorSelector and ruleSelector: matchLabels: app: esddns."""
    for kind in ("ServiceMonitor", "PrometheusRule"):
        for found in (o for o in objects() if o["kind"] == kind):
            assert found["metadata"]["labels"]["app"] == "esddns"
            assert found["metadata"]["namespace"] == "esddns"
    assert named("ConfigMap", "esddns-dashboard")["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {o["metadata"]["namespace"] for o in objects()} == {"esddns"}
    assert len(rulefile.alerts()) >= 5
