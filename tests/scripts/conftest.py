"""Fixtures of the tests of k8s/deploy.sh and k8s/deploy-metallb.sh."""

import pathlib
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "cluster"), str(HERE.parent / "integration")]

import plane as planes  # noqa: E402
import user as users  # noqa: E402

TOOLS = {"kubectl": "kubectl 1.27 or newer", "shellcheck": "the package shellcheck",
         "dash": "the package dash", "bash": "the package bash", "openssl": "the package openssl"}


@pytest.fixture(scope="session", autouse=True)
def fixture_tools():
    """Nothing is skipped."""
    missing = [what for tool, what in TOOLS.items() if not shutil.which(tool)]
    if missing:
        pytest.exit(f"these tests need what is not here; install {', '.join(missing)}", 1)


@pytest.fixture(scope="session", name="shared_plane")
def fixture_shared_plane():
    try:
        plane = planes.Plane()
        with plane:
            yield plane
    except planes.Missing as missing:
        pytest.exit(str(missing), 1)


@pytest.fixture(name="plane")
def fixture_plane(shared_plane):
    """A cluster in which nothing was ever deployed."""
    shared_plane.clean()
    return shared_plane


@pytest.fixture(scope="session", name="home")
def fixture_home(tmp_path_factory):
    """One for all: kubectl keeps there what it learned of the API server."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(name="nobody")
def fixture_nobody(tmp_path, home):
    """A user who has no cluster: nothing listens at that port."""
    kubeconfig = tmp_path / "nowhere.conf"
    kubeconfig.write_text(
        '{"apiVersion": "v1", "kind": "Config", "current-context": "nowhere", "clusters": '
        '[{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}], "users": '
        '[{"name": "u", "user": {"token": "t"}}], "contexts": [{"name": "nowhere", "context": '
        '{"cluster": "c", "user": "u"}}]}')
    return users.User(tmp_path, kubeconfig, home)


@pytest.fixture(name="user")
def fixture_user(tmp_path, home, plane):
    """A user of the cluster, as its administrator."""
    return users.User(tmp_path, plane.directory / "admin.conf", home)
