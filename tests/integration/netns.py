"""Network namespaces that a test makes and removes."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def need_program(name, package):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert path, f"{name} is missing: install the Debian package {package}"
    return path


def run(*command, **how):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                            timeout=30, check=False, **how)
    assert result.returncode == 0, f"{command}: {result.stderr}{result.stdout}"
    return result.stdout


class Space:
    """A network namespace that is there."""

    def __init__(self, name):
        self.name = name
        self.path = pathlib.Path("/run/netns") / name

    def ip(self, *arguments):
        return run("ip", "-n", self.name, *arguments)

    def sysctl(self, name, value):
        with self.entered():
            pathlib.Path(f"/proc/sys/net/{name}").write_text(str(value), encoding="ascii")

    def nft(self, *rules):
        """Each a line."""
        need_program("nft", "nftables")
        run("ip", "netns", "exec", self.name, "nft", "-f", "-", input="\n".join(rules) + "\n")

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the namespace: its new sockets and children are."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(self.path, "rb") as there:
            enter(there)
            try:
                yield self
            finally:
                enter(home)


class Namespace(Space):
    """A new one, with its loopback up."""

    def __init__(self, name):
        super().__init__(f"esd{os.getpid()}{name}")
        run(need_program("ip", "iproute2"), "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False)


def enter(file):
    if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def join(one, one_name, other, other_name):
    """A cable between two namespaces; both ends are down."""
    run("ip", "link", "add", one_name, "netns", one.name, "type", "veth", "peer", "name",
        other_name, "netns", other.name)


def read_only(writable):
    """The start of a command line that can write below this directory only."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            f'mount --bind {writable} {writable} && mount -o remount,bind,ro / && '
            'for m in /tmp /var /run /home; do mountpoint -q $m && mount -o remount,bind,ro $m; done; '
            'exec "$@"', "sh"]


def with_files(**files):
    """The start of a command line that sees other files under /etc, in its own mount namespace.

    with_files(resolv_conf=path, hosts=path)
    """
    binds = " && ".join(f"mount --bind {source} /etc/{name.replace('_', '.')}"
                        for name, source in files.items())
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            f'{binds} && exec "$@"', "sh"]
