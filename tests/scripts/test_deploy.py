"""deploy.sh on a real control plane: what it makes, what it leaves alone, what it takes away."""

import base64
import json
import re

import pytest

from plane import ADDRESS, NAMESPACE
from waiting import wait_for

TOKEN = "a-token-of-gandis-0123456789"
DEPLOY = ("production", "--yes")
GANDI, PEER = "esddns-gandi-credentials", "esddns-peer-key"


def deploy(user, *more, **changes):
    return user.run(*DEPLOY, *more, **{"GANDI_API_KEY": TOKEN} | changes)


def value(secret, key):
    return base64.b64decode(secret["data"][key]).decode()


def made_by_the_programs(plane):
    """What they would make, unless it is there: no apply may ever touch it."""
    for kind, body in (
            ("configmaps", {"metadata": {"name": "esddns-wan-ip"},
                            "data": {"current_ip": "192.0.2.1", "epoch": "7"}}),
            ("leases", {"metadata": {"name": "esddns-leader"}, "spec": {"holderIdentity": "x"}})):
        if not plane.get(kind, body["metadata"]["name"]):
            plane.create(kind, body)


def leftovers(plane):
    return [key for key in plane.versions() if "esddns" in key[1]]


def test_from_nothing_to_ready_and_again(plane, user):
    user.spy(TOKEN)
    shown = deploy(user)
    for line in (r"Cluster +context tests, https://127.0.0.1:\d+, Kubernetes v1",
                 f"Secret +{GANDI} is created", f"Secret +{PEER} is created",
                 "daemonset.apps/esddns-operator-daemon created",
                 "Ready +daemonset/esddns-operator-daemon",
                 "Ready +deployment/esddns-service",
                 "has no address yet", "kubectl get svc -n esddns esddns-service --watch",
                 "kubectl port-forward -n esddns svc/esddns-service"):
        assert re.search(line, shown), f"{line} in:\n{shown}"
    assert value(plane.get("secrets", GANDI), "api-key") == TOKEN
    assert re.fullmatch("[0-9a-f]{64}", value(plane.get("secrets", PEER), "key"))
    # on no command line, in no environment, in no file, and not on the screen
    assert "create secret generic" in user.log.read_text()
    assert TOKEN not in user.log.read_text() + shown

    made_by_the_programs(plane)
    before = plane.versions()
    shown = deploy(user, GANDI_API_KEY="another-token")
    assert "nothing differs" in shown and f"{GANDI} is there, and stays as it is" in shown
    assert "Ready" in shown
    assert plane.versions() == before
    # by hand, too, as with any manifest
    shown = user.kubectl("apply", "-f", user.file())
    assert [line for line in shown.splitlines() if not line.endswith(" unchanged")] == []
    assert plane.versions() == before

    shown = deploy(user, TARGET_DOMAIN_FQDN="other.test", GANDI_API_KEY=None)
    assert re.search(r"^-.*esddns.test$", shown, re.M) and re.search(r"^\+.*other.test$", shown, re.M)
    changed = {key for key, version in plane.versions().items() if before.get(key) != version}
    assert changed == {("configmaps", "esddns-config"), ("daemonsets", "esddns-operator-daemon"),
                       ("deployments", "esddns-service")}      # so the pods are replaced


def test_only_the_missing_secret_is_made(plane, user):
    plane.make_namespace()
    plane.create("secrets", {"metadata": {"name": PEER}, "stringData": {"key": "k" * 20}})
    kept = plane.get("secrets", PEER)["metadata"]["resourceVersion"]
    shown = deploy(user)
    assert f"{PEER} is there, and stays" in shown and f"{GANDI} is created" in shown
    assert plane.get("secrets", PEER)["metadata"]["resourceVersion"] == kept


def test_without_a_token_nothing_is_changed(plane, user):
    before = plane.versions()
    assert "set GANDI_API_KEY" in user.run(*DEPLOY, code=78)
    assert plane.versions() == before


def test_a_dry_run_changes_nothing(plane, user):
    before = plane.versions()
    shown = user.run("production", "--dry-run")
    assert "all of this is new" in shown and "DaemonSet/esddns-operator-daemon" in shown
    assert f"{GANDI} is missing, and will be created" in shown and "nothing was changed" in shown
    assert plane.versions() == before
    would_not_take(plane, user)


def test_a_dry_run_with_something_there(shared_plane, user):
    deploy(user)
    before = shared_plane.versions()
    shown = user.run("production", "--dry-run", "--image", "localhost/esddns:other")
    assert re.search(r"^\+.*image: localhost/esddns:other$", shown, re.M)
    assert "checked by the server" in shown
    assert shared_plane.versions() == before
    would_not_take(shared_plane, user)


def would_not_take(plane, user):
    file = user.k8s / "base/service.yaml"
    file.write_text(file.read_text().replace("type: LoadBalancer", "type: [LoadBalancer]"))
    before = plane.versions()
    shown = user.run("production", "--dry-run", code=1)
    assert "type" in shown and re.search("does not take that|would not take", shown)
    assert plane.versions() == before


def test_the_page_has_an_address(shared_plane, user):
    deploy(user)
    path = f"/api/v1/namespaces/{NAMESPACE}/services/esddns-service/status"
    for ingress, page in (({"ip": "192.0.2.80"}, "http://192.0.2.80/"),
                          ({"ip": "2001:db8::80"}, r"http://\[2001:db8::80\]/"),
                          ({"hostname": "lb.test"}, "http://lb.test/")):
        shared_plane.call("PATCH", path, {"status": {"loadBalancer": {"ingress": [ingress]}}})
        assert re.search(f"Page +{page}", deploy(user))
    shown = deploy(user, "--nodeport")
    port = shared_plane.get("services", "esddns-service")["spec"]["ports"][0]["nodePort"]
    assert re.search(f"Page +http://{ADDRESS}:{port}/", shown)


def test_a_policy_that_outlives_its_option_is_named(shared_plane, user):
    assert "networkpolicy" not in deploy(user)
    assert "networkpolicy.networking.k8s.io/esddns-service created" in deploy(user, "--network-policy")
    assert "kubectl delete -n esddns networkpolicy esddns-service" in deploy(user)
    assert shared_plane.get("networkpolicies", "esddns-service")


def test_another_context(shared_plane, user):
    config = json.loads(shared_plane.kubeconfig("no-token"))
    config["contexts"].append({"name": "lab", "context": {"cluster": "tests", "user": "lab"}})
    config["users"].append({"name": "lab", "user": {
        "token": json.loads((shared_plane.directory / "admin.conf").read_text())["users"][0]["user"]["token"]}})
    file = user.directory.parent / "two.conf"
    file.write_text(json.dumps(config))
    user.environment["KUBECONFIG"] = str(file)
    assert "no cluster answers (context tests" in deploy(user, code=69)
    assert "context lab, https://" in deploy(user, "--context", "lab")


def test_missing_rights_are_named(plane, user):
    file = user.directory.parent / "weak.conf"
    file.write_text(plane.kubeconfig(plane.account_without_rights()))
    shown = deploy(user, code=77, KUBECONFIG=str(file))
    assert "you may not: get namespaces, create namespaces" in shown
    assert "create clusterroles.rbac.authorization.k8s.io" in shown
    shown = user.run("production", "--delete", "--yes", code=77, KUBECONFIG=str(file))
    assert "delete namespaces" in shown
    assert not leftovers(plane)


# --- when pods do not become ready -------------------------------------------------------------


TROUBLES = {
    "ImagePullBackOff": "a node cannot get the image; push it to a registry",
    "ErrImageNeverPull": "a node cannot get the image",
    "CreateContainerConfigError": "a container cannot be created",
    "CrashLoopBackOff": "a pod ends by itself",
    "not ready": "a pod runs but is not ready; its last lines",
}


def test_not_ready_in_time(plane, user):
    plane.node.trouble = "unschedulable"
    shown = deploy(user, "--timeout", "2", code=75)
    assert "a pod gets no node" in shown.splitlines()[-1]
    for trouble, cure in TROUBLES.items():
        plane.node.trouble = trouble
        wait_for(lambda: plane.node.told == trouble, f"the pods show {trouble}")
        shown = deploy(user, "--timeout", "2", code=75)
        last = shown.splitlines()[-1]
        assert "daemonset/esddns-operator-daemon is not ready after 2 s" in last and cure in last
        assert re.search(r"Pods:\nNAME .*\nesddns-", shown)
    plane.node.trouble = None
    assert "nothing differs" in deploy(user)


def test_pods_that_are_never_made(plane, user):
    plane.make_namespace()
    plane.call("POST", f"/api/v1/namespaces/{NAMESPACE}/limitranges", {
        "metadata": {"name": "tiny"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "1Mi"}}]}})
    shown = deploy(user, "--timeout", "2", code=75)
    assert "no pod exists; the warnings above say" in shown
    assert "FailedCreate" in shown and "maximum memory usage per Container is 1Mi" in shown
    plane.clean()       # what other tests find must not have the limit


# --- taking it away ----------------------------------------------------------------------------


def test_delete_leaves_nothing_and_applying_again_starts_cleanly(plane, user):
    deploy(user)
    made_by_the_programs(plane)
    before = plane.versions()
    shown = user.run("production", "--delete", "--dry-run")
    assert "ClusterRole/esddns-operator" in shown and "both Secrets" in shown
    assert plane.versions() == before
    shown = user.run("production", "--delete", "--yes", TARGET_DOMAIN_FQDN=None)
    assert "nothing of ESDDNS is left" in shown
    assert not leftovers(plane)
    assert "nothing of ESDDNS is left" in user.run("production", "--delete", "--yes")
    assert f"{GANDI} is created" in deploy(user)


def test_the_file_deletes_all(shared_plane, user):
    deploy(user, "--network-policy")
    made_by_the_programs(shared_plane)
    user.kubectl("delete", "-f", user.file())
    assert not leftovers(shared_plane)


def test_while_the_namespace_goes(shared_plane, user):
    deploy(user)
    shared_plane.create("configmaps", {"metadata": {"name": "held", "finalizers": ["tests/held"]}})
    shown = user.run("production", "--delete", "--yes", "--timeout", "2", code=75)
    assert "not all is gone after 2 s" in shown
    assert "still being deleted; repeat this when" in deploy(user, code=75)
    shared_plane.patch("configmaps", "held", {"metadata": {"finalizers": None}})
    wait_for(lambda: not leftovers(shared_plane), "the namespace is gone")


# --- on a terminal -----------------------------------------------------------------------------


def test_the_token_is_asked_for_without_an_echo(plane, user):
    user.spy(TOKEN)
    with user.terminal("production") as screen:
        screen.wait_text("The token for Gandi")
        screen.wait_echo(False)
        screen.type(TOKEN + "\n")
        screen.wait_text(r"Apply this at context tests, https://\S+\? \[y/N\]")
        assert screen.echoes()
        assert not leftovers(plane)
        screen.type("y\n")
        shown = screen.ended()
        assert screen.echoes()
    assert "Ready" in shown
    assert value(plane.get("secrets", GANDI), "api-key") == TOKEN
    assert TOKEN not in shown + user.log.read_text() + user.file().read_text()
    # with nothing to do it asks nothing
    with user.terminal("production") as screen:
        assert "[y/N]" not in screen.ended()


@pytest.mark.parametrize("typed, code, sentence", [
    ("\x03", 130, ""),                      # Ctrl-C
    ("\x04", 78, "nothing was typed"),      # Ctrl-D
    ("\n", 78, "nothing was typed"),
    ("two words\n", 78, "a space or a control character"),
])
def test_the_terminal_is_as_it_was_whatever_is_typed(plane, user, typed, code, sentence):
    with user.terminal("production") as screen:
        screen.wait_text("The token for Gandi")
        screen.wait_echo(False)
        screen.type(typed)
        assert sentence in screen.ended(code)
        assert screen.echoes()
    assert not leftovers(plane)
    assert not any(user.temporary.iterdir())


@pytest.mark.parametrize("answer", ["n\n", "\n", "maybe\n", "\x04"])
def test_only_yes_is_yes(plane, user, answer):
    with user.terminal("production", GANDI_API_KEY=TOKEN) as screen:
        screen.wait_text(r"\[y/N\]")
        screen.type(answer)
        assert "nothing was changed" in screen.ended(1)
    assert not leftovers(plane)


def test_deleting_is_asked_for(shared_plane, user):
    deploy(user)
    before = shared_plane.versions()
    for answer, code in (("n\n", 1), ("yes\n", 0)):
        assert shared_plane.versions() == before
        with user.terminal("production", "--delete") as screen:
            screen.wait_text(r"Delete all this at context tests, https://\S+\? \[y/N\]")
            assert "Secrets" in screen.text
            screen.type(answer)
            screen.ended(code)
    assert not leftovers(shared_plane)
