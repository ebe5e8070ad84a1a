"""Builds what a user applies, and finds things in it."""

import functools
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
NAMESPACE = "esddns"
OVERLAYS = ("development", "production")
COMPONENTS = ("network-policy", "nodeport", "metallb")
SETTINGS = "esddns-config"
DAEMONSET, DEPLOYMENT = "esddns-operator-daemon", "esddns-service"
COMBINATIONS = [(overlay, chosen) for overlay in OVERLAYS
                for n in range(len(COMPONENTS) + 1)
                for chosen in itertools.combinations(COMPONENTS, n)
                if not {"nodeport", "metallb"} <= set(chosen)]


class Missing(Exception):
    """A sentence that says what is not there."""


@functools.cache
def kubectl():
    """The kubectl that builds; kustomize is part of it."""
    program = shutil.which("kubectl")
    if program is None:
        raise Missing("there is no kubectl on the PATH: install 1.27 or newer")
    said = subprocess.run([program, "version", "--client", "-o", "yaml"], check=True, text=True,
                          stdout=subprocess.PIPE, timeout=60).stdout
    version = re.search(r"^kustomizeVersion: v(\d+)", said, re.M)
    if version is None or int(version[1]) < 5:
        raise Missing(f"{program} has no kustomize 5 in it: install kubectl 1.27 or newer")
    return program


def build_text(directory):
    """What kubectl kustomize prints; a warning is a failure."""
    result = subprocess.run([kubectl(), "kustomize", directory], check=False, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=120)
    assert result.returncode == 0, f"{directory} does not build: {result.stderr}"
    assert result.stderr == "", f"{directory} builds with a warning: {result.stderr}"
    return result.stdout


def parse(text):
    return list(yaml.safe_load_all(text))


def customise(k8s, overlay, components=(), **more):
    """The text of a build of a kustomization around an overlay, as deploy.sh makes one."""
    with tempfile.TemporaryDirectory(prefix="esdm.") as directory:
        inside = pathlib.Path(os.path.relpath(k8s, directory))
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "resources": [str(inside / "overlays" / overlay)],
            "components": [str(inside / "components" / c) for c in components],
            "transformers": [str(inside / "rollout")], **more}
        pathlib.Path(directory, "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return build_text(directory)


@functools.cache
def combination(overlay, components=()):
    if not components:
        return build_text(K8S / "overlays" / overlay)
    return customise(K8S, overlay, components)


def set_data(**values):
    """A patch of esddns-config; in its keys "_" stands for "-"."""
    operations = [{"op": "add", "path": f"/data/{key.replace('_', '-')}", "value": value}
                  for key, value in values.items()]
    return {"target": {"kind": "ConfigMap", "name": SETTINGS}, "patch": yaml.safe_dump(operations)}


# --- in what was built ------------------------------------------------------------------


def find(objects, kind, name):
    found = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    assert len(found) == 1, f"{kind}/{name} is there {len(found)} times"
    return found[0]


def workloads(objects):
    return [o for o in objects if "template" in o.get("spec", {})]


def pod_of(workload):
    return workload["spec"]["template"]["spec"]


def container_of(workload):
    containers = pod_of(workload)["containers"]
    assert [c["name"] for c in containers] == ["esddns"]
    return containers[0]


def volume(workload, path):
    """The volume that is mounted at a path."""
    mounts = [m for m in container_of(workload)["volumeMounts"] if m["mountPath"] == path]
    assert len(mounts) == 1, path
    return next(v for v in pod_of(workload)["volumes"] if v["name"] == mounts[0]["name"])
