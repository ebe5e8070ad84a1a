"""esddns itself reads what the ConfigMap holds, as its pod would: its environment, files and user."""

import subprocess

import pytest

import esddns
from manifests import (DAEMONSET, DEPLOYMENT, SETTINGS, combination, container_of, customise, find,
                       parse, set_data, volume, workloads, K8S, NAMESPACE)

FIELDS = {"spec.nodeName": "node1", "metadata.name": "esddns-x", "metadata.namespace": NAMESPACE,
          "metadata.uid": "8c3a2c0e-0000-4000-8000-000000000000", "status.podIP": "10.77.0.11"}
USER = 65532
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
# In a mount namespace of its own the pod's directories lie over the machine's; $1 holds them all.
MOUNT = f"""set -eu
for place in /run /etc; do mount -t tmpfs -o mode=755 none $place; done
mkdir -p /etc/esddns
cp -a "$1"/files/. /
shift
exec setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs -- "$@"
"""


def environment(workload, data, address):
    """What the kubelet would set."""
    found = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443",
             "ESDDNS_LIBEXECDIR": esddns.BUILD, "ESDDNS_SERVICEACCOUNT_DIR": "/etc/account"}
    for variable in container_of(workload)["env"]:
        source = variable["valueFrom"]
        if "fieldRef" in source:
            found[variable["name"]] = FIELDS[source["fieldRef"]["fieldPath"]]
        else:
            found[variable["name"]] = data[source["configMapKeyRef"]["key"]]
    return found | {"POD_IP": address}


def put(directory, path, text, mode=0o444):
    file = directory / "files" / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def check(directory, objects, name, secrets=(), address="10.77.0.11"):
    """esddns --check-config in the pod; its exit status and what it says."""
    workload = next(w for w in workloads(objects) if w["metadata"]["name"] == name)
    data = find(objects, "ConfigMap", SETTINGS)["data"]
    for key, text in data.items():
        put(directory, f"/etc/esddns/{key}", text)
    for key, text in (("token", "a-token"), ("ca.crt", "a certificate"), ("namespace", NAMESPACE)):
        put(directory, f"/etc/account/{key}", text)
    for path, text in secrets:
        # root's, and readable by the pod's group: as the kubelet leaves it
        file = put(directory, path, text, 0o440)
        subprocess.run(["chgrp", str(USER), file], check=True)
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", MOUNT, "sh", directory, f"{esddns.BUILD}/esddns",
         "--check-config", *container_of(workload).get("args", ["-c", "/etc/esddns/esddns.yaml"])],
        env=environment(workload, data, address) | {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        check=False, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=60)
    return result.returncode, result.stdout


def secret_files(objects):
    """Where the nodes' pods find the Secrets' keys."""
    workload = find(objects, "DaemonSet", DAEMONSET)
    files = []
    for mount in container_of(workload)["volumeMounts"]:
        held = volume(workload, mount["mountPath"]).get("secret")
        for item in held["items"] if held else []:
            # the path has the Secret's name in it: a message that names the file names its cure
            assert held["secretName"] in mount["mountPath"]
            files.append((f"{mount['mountPath']}/{item['path']}", "0123456789abcdef"))
    assert len(files) == 2
    return files


@pytest.fixture(name="objects", params=("development", "production"))
def fixture_objects(request):
    return parse(combination(request.param))


@pytest.mark.parametrize("address", ("10.77.0.11", "2001:db8::11"))
def test_on_a_node(tmp_path, objects, address):
    code, said = check(tmp_path, objects, DAEMONSET, secret_files(objects), address)
    assert code == 0 and "warning" not in said, said


def test_on_a_node_without_its_secrets(tmp_path, objects):
    """Nothing but two warnings, which name the Secrets."""
    code, said = check(tmp_path, objects, DAEMONSET)
    warnings = [line for line in said.splitlines() if "warning: " in line]
    assert code == 0 and len(warnings) == 2, said
    assert "esddns-gandi-credentials/api-key cannot be read" in warnings[0]
    assert "esddns-peer-key/key cannot be read" in warnings[1]


def test_behind_the_service(tmp_path, objects):
    code, said = check(tmp_path, objects, DEPLOYMENT)
    assert code == 0 and "warning" not in said, said


def test_a_mistake_in_a_setting_is_told(tmp_path):
    objects = parse(customise(K8S, "production", patches=[set_data(record_ttl="5")]))
    code, said = check(tmp_path, objects, DAEMONSET, secret_files(objects))
    assert code == 78 and "RECORD_TTL" in said, said


def test_records_of_a_list_in_the_place_of_the_one(tmp_path):
    """As the comment in esddns.yaml tells: the settings of the one record empty."""
    data = find(parse(combination("production")), "ConfigMap", SETTINGS)["data"]
    several = data["esddns.yaml"] + 'records: [{zone: esddns.test}, {zone: esddns.test, name: a}]\n'
    objects = parse(customise(K8S, "production", patches=[
        set_data(target_domain="", record_name="", record_ttl="", **{"esddns.yaml": several})]))
    code, said = check(tmp_path, objects, DAEMONSET, secret_files(objects))
    assert code == 0 and "warning" not in said, said
