"""A user's own copy of k8s/, with the production overlay edited as DEPLOYMENT.md tells."""

import json
import shutil

import realservers
from internet import ECHO, GANDI, STUN, ZONE
from realcluster import ROOT

# Intervals stay as they are by default: what is promised about time is promised with these.
DETECTOR = {"allow_reserved": True, "ca_file": "/etc/esddns/ca.crt",
            "sources": realservers.sources(ECHO, STUN)}


def replace(text, old, new):
    """Like an editor: what is to be replaced must be there, once."""
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times in:\n{text}"
    return text.replace(old, new)


def make(directory, authority):
    """directory/k8s; `authority` is the file with the CA of all servers of the test."""
    copy = directory / "k8s"
    shutil.copytree(ROOT / "k8s", copy, symlinks=True)
    production = copy / "overlays" / "production"
    settings = (copy / "base" / "esddns.yaml").read_text(encoding="utf-8")
    settings = replace(settings, "\nprovider:\n", "\nprovider:\n"
                       f"  url: https://{GANDI}/v5/livedns\n  ca_file: /etc/esddns/ca.crt\n")
    assert "\ndetector:" not in settings
    settings += f"detector: {json.dumps(DETECTOR)}\n"
    (production / "esddns.yaml").write_text(settings, encoding="utf-8")
    shutil.copy(authority, production / "ca.crt")
    file = production / "kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    domain = next(line.strip() for line in text.splitlines() if "target-domain=" in line)
    text = replace(text, domain, f"- target-domain={ZONE}")
    text = replace(text, "\n    literals:\n", "\n    files: [esddns.yaml, ca.crt]\n    literals:\n")
    file.write_text(text, encoding="utf-8")
    return copy
