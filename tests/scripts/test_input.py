"""What is refused before anything happens, and the file that is written: no cluster is needed."""

import os
import re
import shutil
import stat
import subprocess

import pytest
import yaml

from controlplane import assets
from user import ROOT

SCRIPTS = ("deploy.sh", "deploy-metallb.sh", "lib.sh", "metallb.sh")
# what the scripts use, apart from kubectl
PROGRAMS = ("sh", "awk", "basename", "cat", "chmod", "cp", "diff", "dirname", "env", "grep", "head",
            "mkdir", "mktemp", "mv", "od", "rm", "sed", "sleep", "sort", "tail", "tr", "date")


def objects(file):
    return {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load_all(file.read_text())}


def test_shellcheck_finds_nothing():
    subprocess.run(["shellcheck", *(ROOT / "k8s" / name for name in SCRIPTS)], check=True)


@pytest.mark.parametrize("arguments, sentence", [
    ((), "say which environment"),
    (("staging",), 'no environment "staging"'),
    (("production", "development"), '"development" is one argument too many'),
    (("production", "--force"), "no option --force"),
    (("production", "--image"), "--image needs a value"),
    (("production", "--image", ""), "--image needs a value"),
    (("production", "--image", "esddns"), "with a tag or a digest"),
    (("production", "--image", "Registry/ESDDNS:1"), "with a tag or a digest"),
    (("production", "--image", "a:1\nb:2"), "with a tag or a digest"),
    (("production", "--image", 'a:1"}'), "with a tag or a digest"),
    (("production", "--image", "a@sha256:12"), "with a tag or a digest"),
    (("production", "--timeout", "soon"), "--timeout takes seconds"),
    (("production", "--timeout", "0"), "--timeout takes seconds"),
    (("production", "--manifest", "x"), "goes with --metallb"),
    (("production", "--nodeport", "--metallb", "192.0.2.1-192.0.2.2"), "choose one"),
])
def test_a_wrong_command_line(nobody, arguments, sentence):
    assert sentence in nobody.run(*arguments, code=64)
    assert not any(nobody.directory.iterdir())


@pytest.mark.parametrize("variable, value, sentence", [
    ("TARGET_DOMAIN_FQDN", "esddns", '"esddns" is no domain'),
    ("TARGET_DOMAIN_FQDN", "esddns.test.", "is no domain"),
    ("TARGET_DOMAIN_FQDN", "-a.test", "is no domain"),
    ("TARGET_DOMAIN_FQDN", "a..test", "is no domain"),
    ("TARGET_DOMAIN_FQDN", "a_b.test", "is no domain"),
    ("TARGET_DOMAIN_FQDN", "192.0.2.1", "is no domain"),
    ("TARGET_DOMAIN_FQDN", "x" * 64 + ".test", "is no domain"),
    ("TARGET_DOMAIN_FQDN", "a." * 126 + "test", "is no domain"),
    ("TARGET_DOMAIN_FQDN", "a.test\nb.test", "is no domain"),
    ("TARGET_DOMAIN_FQDN", 'a.test"', "is no domain"),
    ("TARGET_DOMAIN_FQDN", "example.com", "still the placeholder example.com; set TARGET_DOMAIN_"),
    ("TARGET_DOMAIN_FQDN", "Home.Example.COM", "still the placeholder"),
    ("TARGET_DOMAIN_FQDN", None, "still the placeholder"),
    ("RECORD_NAME_ROOT", "a b", "is no name of a record"),
    ("RECORD_NAME_ROOT", "home.", "is no name of a record"),
    ("RECORD_NAME_ROOT", "a.*", "is no name of a record"),
    ("RECORD_NAME_ROOT", "home.esddns.test", "holds the zone esddns.test"),
    ("RECORD_NAME_ROOT", "ESDDNS.test", "holds the zone esddns.test"),
    ("RECORD_TTL", "299", "is no TTL that Gandi takes"),
    ("RECORD_TTL", "2592001", "is no TTL that Gandi takes"),
    ("RECORD_TTL", "5min", "is no TTL that Gandi takes"),
    ("RECORD_TTL", "0600", "is no TTL that Gandi takes"),
    ("GANDI_API_KEY", "to ken", "holds a space or a control character"),
    ("GANDI_API_KEY", "token\n", "holds a space or a control character"),
])
def test_a_wrong_environment(nobody, variable, value, sentence):
    shown = nobody.run("production", "--yes", code=78, **{variable: value})
    assert sentence in shown
    assert len(shown.splitlines()) <= 3
    assert not nobody.file().exists()


def test_the_placeholder_is_found_where_it_is_to_be_replaced(nobody):
    shown = nobody.run("development", "--dry-run", code=78, TARGET_DOMAIN_FQDN=None)
    assert f"{nobody.k8s}/overlays/development/kustomization.yaml" in shown


@pytest.mark.parametrize("given, why", [
    ("192.168.1.100-192.168.1.90", "its last address lies below its first"),
    ("192.168.9.100-192.168.10.90x", '"192.168.10.90x" is no address'),
    ("192.168.1.100/24", "is not the first address of a /24"),
    ("192.168.1.0/33", '"/33" is no length of a prefix'),
    ("192.168.1.0/", '"/" is no length of a prefix'),
    ("10.0.0.0/15", "it is too large"),
    ("10.0.0.1-10.1.0.1", "it is too large"),
    ("192.168.1.7", "it is neither FIRST-LAST nor NETWORK/PREFIX"),
    ("192.168.1.7-192.168.1.8-192.168.1.9", "it is neither"),
    ("192.168.1.7 - 192.168.1.9", "is no address"),
    ("192.168.01.7-192.168.1.9", "is no address"),
    ("192.168.1.256-192.168.2.9", "is no address"),
    ("192.168.1-192.168.2", "is no address"),
    ("192.168.1.0/28\n10.0.0.0/8", "it is more than one line"),
    ("127.0.0.1-127.0.0.9", "no host can have its addresses"),
    ("224.0.0.0/28", "no host can have its addresses"),
    ("169.254.0.0/28", "no host can have its addresses"),
    ("192.168.1.1-fd00::1", "it starts with one kind of address and ends with the other"),
    ("fd00::9-fd00::1", "its last address lies below its first"),
    ("fd00::/63", "it is too large"),
    ("fd00::1-fd00:0:0:1::1", "it is too large"),
    ("fd00::1/120", "is not the first address of a /120"),
    ("fd00::1::2-fd00::9", "is no address"),
    ("fd00::12345-fd00::9", "is no address"),
    ("1:2:3:4:5:6:7-1:2:3:4:5:6:8", "is no address"),
    ("1:2:3:4:5:6:7:8:9/128", "is no address"),
    ("fe80::/120", "no host can have its addresses"),
    ("::1/128", "no host can have its addresses"),
    ("ff02::/120", "no host can have its addresses"),
])
def test_a_wrong_range(nobody, given, why):
    shown = nobody.run("production", given, "--yes", script="deploy-metallb.sh", code=64)
    assert shown.startswith("deploy-metallb.sh: ") and why in shown
    assert not any(nobody.directory.iterdir())


@pytest.mark.parametrize("given", [
    "192.168.1.100-192.168.1.110", "192.168.1.9-192.168.1.10", "192.168.1.96/28", "10.1.0.0/16",
    "192.0.2.1/32", "fd00::/64", "FD00::a-fd00::B", "2001:db8::1:0/112", "1:2:3:4:5:6:7:8-1:2:3:4:5:6:7:9"
])
def test_a_right_range(nobody, given):
    nobody.run("production", given, "--dry-run", script="deploy-metallb.sh")


@pytest.mark.parametrize("arguments", [(), ("production",), ("production", "--yes")])
def test_metallb_needs_a_range(nobody, arguments):
    assert "RANGE" in nobody.run(*arguments, script="deploy-metallb.sh", code=64)


def test_metallb_needs_a_version_and_a_file_that_are_there(nobody):
    good = ("production", "192.0.2.1/32", "--dry-run")
    assert '"0.14" is no version' in nobody.run(*good, script="deploy-metallb.sh", code=78,
                                                METALLB_VERSION="0.14")
    assert "nothing.yaml cannot be read" in nobody.run(*good, "--manifest", "nothing.yaml", code=64,
                                                       script="deploy-metallb.sh")


@pytest.mark.parametrize("script", ["deploy.sh", "deploy-metallb.sh"])
def test_help_is_help_and_names_every_option(nobody, script):
    nobody.only("sh", "cat", "dirname", "basename")     # nothing else is needed for it
    shown = nobody.run("--help", script=script)
    assert shown.startswith(f"usage: {script} development|production")
    parser = (ROOT / "k8s/lib.sh").read_text().partition("parse_options()")[2].partition("\n}")[0]
    known = set(re.findall(r"--[a-z-]+(?=[ )])", parser))
    assert {"--image", "--delete", "--network-policy"} <= known
    shown = nobody.run("--help")
    assert not {option for option in known if option not in shown}


def test_without_a_terminal_it_refuses_before_it_does_anything(nobody):
    assert "no terminal to ask at; say --yes" in nobody.run("production", code=64)
    assert "no terminal to ask at; say --yes" in nobody.run("production", "--delete", code=64)
    assert not any(nobody.directory.iterdir())


# --- tools ---------------------------------------------------------------------------------


def test_no_kubectl(nobody):
    nobody.only(*PROGRAMS)
    assert "there is no kubectl on the PATH" in nobody.run("production", "--yes", code=69)


def test_no_diff(nobody):
    nobody.only(*[program for program in PROGRAMS if program != "diff"], "kubectl")
    assert "there is no diff on the PATH" in nobody.run("production", "--yes", code=69)


def test_a_kubectl_that_is_too_old_and_a_kustomize_beside_it(nobody, tmp_path):
    nobody.only(*PROGRAMS, str(assets() / "kubectl"))
    shown = nobody.run("production", "--yes", code=69)
    assert "kustomize 5 is needed" in shown and "this one is v1.20" in shown
    # kustomize itself is not on this machine: kubectl's stands in for it
    for version, code in (("{Version:kustomize/v4.5.7 GitCommit:5}", 69), ("v5.5.0", 0)):
        kustomize = tmp_path / "only" / "kustomize"
        kustomize.write_text(f'#!/bin/sh\n[ "$1" != version ] || {{ echo "{version}"; exit; }}\n'
                             f'exec {shutil.which("kubectl")} kustomize "$2"\n')
        kustomize.chmod(0o755)
        shown = nobody.run("production", "--dry-run", code=code)
    assert "kubectl v1.20.2, kustomize v5.5.0" in shown
    assert nobody.file().exists()


def test_no_cluster(nobody):
    shown = nobody.run("production", "--yes", code=69)
    assert "no cluster answers" in shown and "refused" in shown and "KUBECONFIG" in shown
    assert nobody.file().exists()
    shown = nobody.run("production", "--dry-run")
    assert "the file was only written" in shown


def test_no_such_context(nobody):
    shown = nobody.run("production", "--yes", "--context", "elsewhere", code=69)
    assert 'context "elsewhere" does not exist' in shown and "kubectl config get-contexts" in shown


# --- the file -----------------------------------------------------------------------------


@pytest.mark.parametrize("shell", [("dash",), ("bash", "--posix")])
@pytest.mark.parametrize("environment", ["development", "production"])
def test_the_file(nobody, environment, shell):
    umask = os.umask(0o077)
    try:
        nobody.run(environment, "--dry-run", "--image", "registry.test:5000/x/esddns:1.2", shell=shell,
                   RECORD_NAME_ROOT="*.home", RECORD_TTL="600", GANDI_API_KEY="never-in-a-file")
    finally:
        os.umask(umask)
    file = nobody.file(environment)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [file] == list(nobody.directory.iterdir())
    assert "never-in-a-file" not in file.read_text() and "kind: Secret" not in file.read_text()
    found = objects(file)
    assert list(found)[0] == ("Namespace", "esddns")
    assert not {"esddns-wan-ip", "esddns-leader"} & {name for _, name in found}
    data = found["ConfigMap", "esddns-config"]["data"]
    assert (data["target-domain"], data["record-name"], data["record-ttl"]) == \
        ("esddns.test", "*.home", "600")
    for pods in (("DaemonSet", "esddns-operator-daemon"), ("Deployment", "esddns-service")):
        template = found[pods]["spec"]["template"]
        assert template["spec"]["containers"][0]["image"] == "registry.test:5000/x/esddns:1.2"
        notes = template["metadata"]["annotations"]
        assert notes["esddns/target-domain"] == "esddns.test"       # so a change replaces the pods
        assert notes["esddns/record-name"] == "*.home" and notes["esddns/record-ttl"] == "600"


def test_the_same_input_gives_the_same_file(nobody):
    texts = []
    for _ in range(2):
        nobody.run("production", "--dry-run")
        texts.append(nobody.file().read_text())
    assert texts[0] == texts[1]


def test_what_the_overlay_says_counts_where_the_environment_says_nothing(nobody):
    file = nobody.k8s / "overlays/production/kustomization.yaml"
    text = re.sub("target-domain=.*", "target-domain=of.the.overlay", file.read_text())
    file.write_text(re.sub("record-ttl=.*", "record-ttl=900", text))
    shown = nobody.run("production", "--dry-run", TARGET_DOMAIN_FQDN=None)
    assert "of.the.overlay, TTL 900 s" in shown
    data = objects(nobody.file())["ConfigMap", "esddns-config"]["data"]
    assert data["target-domain"] == "of.the.overlay"
    file.write_text(text.replace("of.the.overlay", ""))     # several records, in esddns.yaml
    assert "those of esddns.yaml" in nobody.run("production", "--dry-run", TARGET_DOMAIN_FQDN=None)


def test_an_overlay_that_does_not_build(nobody):
    file = nobody.k8s / "overlays/production/kustomization.yaml"
    file.write_text(file.read_text() + "resources: [nothing.yaml]\n")
    shown = nobody.run("production", "--dry-run", code=65)
    assert "overlays/production does not build" in shown and "resources" in shown
    assert not nobody.file().exists()


def test_the_file_replaces_what_was_there_and_never_what_a_link_points_to(nobody, tmp_path):
    other = tmp_path / "other"
    other.write_text("precious")
    nobody.file().symlink_to(other)
    nobody.run("production", "--dry-run")
    assert other.read_text() == "precious" and not nobody.file().is_symlink()


def test_the_file_cannot_be_written(nobody):
    nobody.file().mkdir()
    assert "is a directory; move it away" in nobody.run("production", "--dry-run", code=73)
    nobody.directory = nobody.directory.__class__("/proc/self")
    assert "cannot be written in /proc/" in nobody.run("production", "--dry-run", code=73)


@pytest.mark.parametrize("option, kind, value", [
    ("--nodeport", "Service", lambda service: service["spec"]["type"] == "NodePort"),
    ("--network-policy", "NetworkPolicy", bool),
])
def test_components(nobody, option, kind, value):
    nobody.run("production", "--dry-run")
    assert not [o for o in objects(nobody.file()).values() if o["kind"] == kind and value(o)]
    nobody.run("production", "--dry-run", option)
    assert [o for o in objects(nobody.file()).values() if o["kind"] == kind and value(o)]
