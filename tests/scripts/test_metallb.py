"""deploy-metallb.sh, with a stand-in for MetalLB (metallb.yaml)."""

import base64
import contextlib
import pathlib

import pytest

import certificates
from esddns import free_ports
from plane import NAMESPACE, Refused
from waiting import wait_for
from webhook import Webhook

RANGE = "192.0.2.96-192.0.2.110"
GROUP = "/apis/metallb.io/v1beta1/namespaces/metallb-system"
HOOK = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/" \
       "metallb-webhook-configuration"
TOKEN = "a-token-of-gandis"


@pytest.fixture(name="hook")
def fixture_hook(tmp_path, user, plane):
    """The webhook, not started yet, and user.manifest with its address."""
    tls = certificates.make(tmp_path / "tls")
    port, = free_ports(1)
    text = (pathlib.Path(__file__).parent / "metallb.yaml").read_text()
    authority = base64.b64encode((tls / "ca.crt").read_bytes()).decode()
    user.manifest = tmp_path / "metallb.yaml"
    user.manifest.write_text(text.replace("PORT", str(port)).replace("AUTHORITY", authority))
    hook = Webhook(port, tls)
    yield hook
    hook.stop()
    with contextlib.suppress(Refused):
        plane.call("DELETE", HOOK)


def deploy(user, *more, addresses=RANGE, **how):
    return user.run("production", addresses, "--yes", "--manifest", user.manifest, *more,
                    script="deploy-metallb.sh", **{"GANDI_API_KEY": TOKEN} | how)


def pool(plane):
    found = plane.look(f"{GROUP}/ipaddresspools/esddns-pool")
    return found and found["spec"]["addresses"]


def test_from_nothing_to_an_address_and_away_again(plane, user, hook):
    with user.terminal("production", RANGE, "--manifest", str(user.manifest),
                       script="deploy-metallb.sh", GANDI_API_KEY=TOKEN) as screen:
        screen.wait_text(r"Apply this at .*\[y/N\]")
        assert plane.look("/api/v1/namespaces/metallb-system") is None
        screen.type("y\n")
        screen.wait_text("MetalLB +is ready")
        # the webhook is late, and the script waits for it
        assert pool(plane) is None and plane.look(f"/api/v1/namespaces/{NAMESPACE}") is None
        hook.start()
        wait_for(lambda: plane.get("services", "esddns-service"), "the Service")
        plane.call("PATCH", f"/api/v1/namespaces/{NAMESPACE}/services/esddns-service/status",
                   {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.96"}]}}})
        shown = screen.ended()
    for line in ("is not there, and will be installed from", "MetalLB    is installed",
                 "ipaddresspool.metallb.io/esddns-pool created",
                 "l2advertisement.metallb.io/esddns-l2 created", "Page       http://192.0.2.96/"):
        assert line in shown
    assert pool(plane) == [RANGE]
    assert plane.look(f"{GROUP}/l2advertisements/esddns-l2")["spec"]["ipAddressPools"] == \
        ["esddns-pool"]

    before = plane.versions()
    shown = deploy(user)
    assert "is there, and stays as it is" in shown and f"esddns-pool has {RANGE}" in shown
    assert "nothing differs" in shown and plane.versions() == before

    shown = deploy(user, addresses="192.0.2.96/28")
    assert f"-  - {RANGE}" in shown and "+  - 192.0.2.96/28" in shown
    assert pool(plane) == ["192.0.2.96/28"]

    hook.refusal = "the range overlaps with that of another pool"
    shown = deploy(user, addresses="192.0.2.64/28", code=1)
    assert hook.refusal in shown and "MetalLB does not take" in shown
    assert pool(plane) == ["192.0.2.96/28"]
    hook.refusal = None

    shown = user.run("production", "--delete", "--yes", script="deploy-metallb.sh")
    assert "esddns-pool and esddns-l2 go as well; MetalLB itself stays" in shown
    assert pool(plane) is None and plane.look(f"{GROUP}/l2advertisements/esddns-l2") is None
    assert plane.look("/apis/apps/v1/namespaces/metallb-system/deployments/controller")
    assert plane.look(f"/api/v1/namespaces/{NAMESPACE}") is None


def test_a_dry_run_installs_nothing(plane, user, hook):     # pylint: disable=unused-argument
    before = plane.versions()
    shown = deploy(user, "--dry-run")
    assert "will be installed from" in shown and RANGE in shown
    assert plane.versions() == before
    assert plane.look("/api/v1/namespaces/metallb-system") is None


def test_metallb_that_does_not_become_ready(plane, user, hook):     # pylint: disable=unused-argument
    plane.node.trouble = "ImagePullBackOff"
    shown = deploy(user, "--timeout", "3", code=75)
    assert "MetalLB is not ready after 3 s (deployment.apps/controller)" in shown
    assert "ImagePullBackOff" in shown and "ESDDNS was not deployed" in shown
    assert plane.look(f"/api/v1/namespaces/{NAMESPACE}") is None


def test_a_webhook_that_never_answers(plane, user, hook):       # pylint: disable=unused-argument
    shown = deploy(user, "--timeout", "4", code=1)
    assert "failed calling webhook" in shown and "ESDDNS was not deployed" in shown
    assert plane.look(f"/api/v1/namespaces/{NAMESPACE}") is None


def test_a_manifest_that_is_none(plane, user):
    user.manifest = user.directory.parent / "page.html"
    user.manifest.write_text("<html>404</html>\n")
    assert "MetalLB could not be installed from" in deploy(user, code=1)
    assert plane.look(f"/api/v1/namespaces/{NAMESPACE}") is None


def test_a_pool_of_somebody_else_stays(plane, user, hook):
    hook.start()
    user.kubectl("apply", "-f", user.manifest)
    wait_for(lambda: plane.look(f"{GROUP}/ipaddresspools", items=True) == [], "the kind is served")
    plane.call("POST", f"{GROUP}/ipaddresspools", {
        "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"name": "esddns-pool"}, "spec": {"addresses": ["198.51.100.0/28"]}})
    user.run("production", "--delete", "--yes", script="deploy-metallb.sh")
    assert pool(plane) == ["198.51.100.0/28"]
