"""What the Prometheus Operator makes of a ServiceMonitor: a scrape configuration.

The order and the names of the relabelling are those of its generator (pkg/prometheus/promcfg.go).
Two things differ. Debian's Prometheus is built without kubernetes_sd, so targets() tells it what
that would find in the API server's objects, with the same labels. And at the end an address of a
cluster that does not exist becomes the port of a local instance.
"""

import re


def label(name):
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def relabelings(listed):
    """From the kind's camelCase to Prometheus' snake_case."""
    return [{re.sub(r"[A-Z]", lambda m: "_" + m[0].lower(), key): value
             for key, value in rule.items()} for rule in listed]


def selected(selector):
    for key, value in selector["matchLabels"].items():
        yield {"action": "keep", "regex": f"({re.escape(value)});true", "source_labels": [
            f"__meta_kubernetes_service_label_{label(key)}",
            f"__meta_kubernetes_service_labelpresent_{label(key)}"]}


def target_labels(job_label, port):
    yield {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"}
    yield {"source_labels": ["__meta_kubernetes_service_name"], "target_label": "service"}
    yield {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"}
    yield {"source_labels": ["__meta_kubernetes_pod_container_name"], "target_label": "container"}
    yield {"action": "drop", "source_labels": ["__meta_kubernetes_pod_phase"],
           "regex": "(Failed|Succeeded)"}
    yield {"source_labels": ["__meta_kubernetes_service_name"], "target_label": "job",
           "replacement": "${1}"}
    if job_label:
        yield {"source_labels": [f"__meta_kubernetes_service_label_{label(job_label)}"],
               "target_label": "job", "regex": "(.+)", "replacement": "${1}"}
    yield {"target_label": "endpoint", "replacement": port}


def local(places):
    """An instance is known by its address there, and asked at the one here."""
    yield {"source_labels": ["__address__"], "target_label": "instance"}
    for there, here in places.items():
        yield {"source_labels": ["__address__"], "regex": re.escape(there),
               "target_label": "__address__", "replacement": here}


def scrape_config(monitor, endpoint, file, places, interval):
    """`file` holds targets(); `places` is {address there: address here}."""
    spec, meta = monitor["spec"], monitor["metadata"]
    rules = [*selected(spec["selector"]),
             {"action": "keep", "source_labels": ["__meta_kubernetes_endpoint_port_name"],
              "regex": endpoint["port"]},
             *target_labels(spec.get("jobLabel"), endpoint["port"]),
             *relabelings(endpoint.get("relabelings", [])), *local(places)]
    return {"job_name": f"serviceMonitor/{meta['namespace']}/{meta['name']}/0",
            "honor_labels": endpoint.get("honorLabels", False),
            "file_sd_configs": [{"files": [str(file)]}],
            "scrape_interval": interval, "scrape_timeout": interval,
            "metrics_path": endpoint.get("path", "/metrics"),
            "scheme": endpoint.get("scheme", "http"), "relabel_configs": rules,
            "metric_relabel_configs": relabelings(endpoint.get("metricRelabelings", []))}


# --- kubernetes_sd, role "endpoints" ---------------------------------------------------------


def of_labels(kind, labels):
    for key, value in (labels or {}).items():
        yield f"__meta_kubernetes_{kind}_label_{label(key)}", value
        yield f"__meta_kubernetes_{kind}_labelpresent_{label(key)}", "true"


def of_pod(pod, port):
    """A container's name is known by its port alone: pods of the host's network name none."""
    yield "__meta_kubernetes_pod_name", pod["metadata"]["name"]
    yield "__meta_kubernetes_pod_phase", pod["status"]["phase"]
    yield "__meta_kubernetes_pod_node_name", pod["spec"]["nodeName"]
    yield from of_labels("pod", pod["metadata"].get("labels"))
    for container in pod["spec"]["containers"]:
        for known in container.get("ports", []):
            if known["containerPort"] == port:
                yield "__meta_kubernetes_pod_container_name", container["name"]


def targets(plane):
    """Every port of every address of every Service of the namespace, for file_sd; and, as there,
    every other port of the Pods behind them."""
    services = {o["metadata"]["name"]: o for o in plane.get("services")}
    pods = {o["metadata"]["name"]: o for o in plane.get("pods")}
    found = []
    for endpoints in plane.get("endpoints"):
        name = endpoints["metadata"]["name"]
        if name not in services:
            continue
        for subset in endpoints.get("subsets", []):
            addresses = [(a, ready) for key, ready in (("addresses", "true"),
                                                       ("notReadyAddresses", "false"))
                         for a in subset.get(key, [])]
            found += [target(services[name], pods, a, ready, port) for a, ready in addresses
                      for port in subset["ports"] + others(a, subset, pods)]
    return found


def others(address, subset, pods):
    """Ports of the Pod that are none of the Service."""
    served = [port["port"] for port in subset["ports"]]
    pod = pods.get(address.get("targetRef", {}).get("name"), {"spec": {"containers": []}})
    return [{"port": port["containerPort"]} for container in pod["spec"]["containers"]
            for port in container.get("ports", []) if port["containerPort"] not in served]


def target(service, pods, address, ready, port):
    meta, reference = service["metadata"], address.get("targetRef", {})
    labels = {"__meta_kubernetes_namespace": meta["namespace"],
              "__meta_kubernetes_service_name": meta["name"],
              "__meta_kubernetes_endpoint_ready": ready if "name" in port else "",
              "__meta_kubernetes_endpoint_port_name": port.get("name", ""),
              "__meta_kubernetes_endpoint_address_target_kind": reference.get("kind", ""),
              "__meta_kubernetes_endpoint_address_target_name": reference.get("name", "")}
    labels |= dict(of_labels("service", meta.get("labels")))
    if reference.get("kind") == "Pod":
        labels |= dict(of_pod(pods[reference["name"]], port["port"]))
    return {"targets": [f"{address['ip']}:{port['port']}"], "labels": labels}
