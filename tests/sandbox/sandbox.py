#!/usr/bin/python3
"""The outside world on loopback: echo services, STUN servers and Gandi LiveDNS, for tests."""

import argparse
import asyncio
import contextlib
import errno
import json
import os
import pathlib
import signal
import socket
import sys
import tempfile

import control
import front
import gandi
import httpd
import stund
import tls
import world
import zones

STUN_SERVERS = 3
BIND_ATTEMPTS = 50
PARENT_POLL_SECONDS = 0.25


def port_number(text):
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def zone_name(text):
    try:
        control.check_zone_name(text)
    except world.Refused as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def parse_options(arguments):
    parser = argparse.ArgumentParser(
        prog="sandbox.py", description=__doc__,
        epilog="Ports of 0 are chosen by the kernel; --state-file tells which. "
               "GET / on the control port lists the control API.")
    for name, what in (("http", "echo services and Gandi over HTTP"),
                       ("https", "the same over HTTPS"), ("control", "the control API"),
                       ("stun", "stun1; stun2 and stun3 follow it")):
        parser.add_argument(f"--{name}", type=port_number, default=0, metavar="PORT",
                            help=f"port of {what} (default 0)")
    parser.add_argument("--wan4", default="198.20.0.7", metavar="ADDR",
                        help="simulated IPv4 address, or none (default %(default)s)")
    parser.add_argument("--wan6", default="2001:200::7", metavar="ADDR",
                        help="simulated IPv6 address, or none (default %(default)s)")
    parser.add_argument("--zone", action="append", type=zone_name, metavar="ZONE",
                        help="a zone of the Gandi account; repeatable (default example.com)")
    parser.add_argument("--token", default="sandbox-token",
                        help="accepted as Authorization: Bearer (default %(default)s)")
    parser.add_argument("--apikey", default="sandbox-apikey",
                        help="accepted as Authorization: Apikey (default %(default)s)")
    parser.add_argument("--tls-dir", metavar="DIR",
                        help="keeps ca.crt and the server's certificate (default: a temporary "
                             "directory, removed at the end)")
    parser.add_argument("--state-file", metavar="FILE",
                        help="written as JSON once all ports are bound, removed at the end")
    parser.add_argument("--with-parent", action="store_true",
                        help="end when the process that started this one has ended")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    options = parser.parse_args(arguments)
    options.zone = options.zone or ["example.com"]
    if options.stun > 65536 - STUN_SERVERS:
        parser.error(f"--stun {options.stun} leaves no room for {STUN_SERVERS} ports")
    return options


def has_ipv6():
    """Whether ::1 can be bound here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def bind_once(port, hosts, kinds):
    """Sockets for every host and kind on one port; all or none."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for family, host in hosts:
            for kind in kinds:
                sock = stack.enter_context(socket.socket(family, kind))
                if kind == socket.SOCK_STREAM:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((host, port))
                if kind == socket.SOCK_STREAM:
                    sock.listen(128)
                sock.setblocking(False)
                port = sock.getsockname()[1]
                sockets.append(sock)
        stack.pop_all()
        return sockets


def bind(port, hosts, kinds=(socket.SOCK_STREAM,)):
    """Like bind_once; a port the kernel chose may be taken in the other family: then again."""
    for attempt in range(BIND_ATTEMPTS):
        try:
            return bind_once(port, hosts, kinds)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE or attempt == BIND_ATTEMPTS - 1:
                raise OSError(error.errno, f"port {port}: {os.strerror(error.errno)}") from None
    raise AssertionError("unreachable")


def port_of(sockets):
    return sockets[0].getsockname()[1]


class Sandbox:
    """All servers of one run."""

    def __init__(self, options, tls_dir):
        names = [f"stun{i + 1}" for i in range(STUN_SERVERS)]
        self._options = options
        self._tls_dir = pathlib.Path(tls_dir).absolute()
        self.ipv6 = has_ipv6()
        self._world = world.World(options.wan4, options.wan6, names)
        account = zones.Zones()
        for name in options.zone:
            account.add(name)
        self._gandi = gandi.Gandi(account, options.token, options.apikey)
        self._front = front.Front(self._world, self._gandi)
        self._public = httpd.HttpServer(self._front, self._world.new_connection)
        self._stun = {name: stund.StunServer(self._world, name) for name in names}
        self._control = None
        self._ports = {}

    async def start(self):
        context = tls.prepare(self._tls_dir)
        hosts = [(socket.AF_INET, "127.0.0.1")]
        if self.ipv6:
            hosts.append((socket.AF_INET6, "::1"))
        await self._start_http(context, hosts)
        both = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        for i, (name, server) in enumerate(self._stun.items()):
            sockets = bind(self._options.stun and self._options.stun + i, hosts, both)
            self._ports[name] = port_of(sockets)
            for sock in sockets:
                start = server.start_tcp if sock.type == both[0] else server.start_udp
                await start(sock)

    async def _start_http(self, context, hosts):
        for name, ssl in (("http", None), ("https", context)):
            sockets = bind(getattr(self._options, name), hosts)
            self._ports[name] = port_of(sockets)
            for sock in sockets:
                await self._public.start(sock, name, ssl)
        application = control.Control(self._world, self._gandi,
                                      f"https://localhost:{self._ports['https']}")
        self._control = httpd.HttpServer(application, lambda: 0)
        sockets = bind(self._options.control, hosts)
        self._ports["control"] = port_of(sockets)
        for sock in sockets:
            await self._control.start(sock, "http")

    async def stop(self):
        self._front.cancel_late()
        servers = [self._public, *self._stun.values()]
        for server in servers + ([self._control] if self._control else []):
            await server.stop()

    def describe(self):
        """What a test needs to know; it holds no credential."""
        ports = self._ports
        http, https = (f"{s}://localhost:{ports[s]}" for s in ("http", "https"))
        sources = {operator: {kind: f"{https}/{operator}/{path}" for kind, path in
                              (("plain", "ip"), ("trace", "cdn-cgi/trace"), ("json", "json"))}
                   for operator in world.OPERATORS}
        sources |= {name: {"udp": f"stun:localhost:{ports[name]}",
                           "tcp": f"stun-tcp:localhost:{ports[name]}"} for name in self._stun}
        return {"pid": os.getpid(), "ipv6": self.ipv6, "ports": ports, "http_url": http,
                "https_url": https, "control_url": f"http://127.0.0.1:{ports['control']}",
                "gandi_url": https + gandi.PREFIX, "gandi_http_url": http + gandi.PREFIX,
                "ca_file": str(self._tls_dir / "ca.crt"), "zones": self._options.zone,
                "operators": list(world.OPERATORS), "sources": sources}


def write_atomically(path, value):
    directory, name = os.path.split(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.write("\n")
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


async def wait_for_end(with_parent, parent):
    """Returns at SIGTERM, SIGINT, or the end of the parent."""
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    while not end.is_set() and (not with_parent or os.getppid() == parent):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARENT_POLL_SECONDS if with_parent else None):
                await end.wait()


async def run(options, tls_dir, parent):
    sandbox = Sandbox(options, tls_dir)
    written = False
    try:
        await sandbox.start()
        state = sandbox.describe()
        if not sandbox.ipv6:
            print("sandbox: ::1 cannot be bound: going on with IPv4 only", file=sys.stderr)
        if options.state_file:
            write_atomically(options.state_file, state)
            written = True
        if not options.quiet:
            print(f"sandbox: control API at {state['control_url']}/, echo services and Gandi at "
                  f"{state['https_url']}/ and {state['http_url']}/, CA in {state['ca_file']}",
                  flush=True)
        await wait_for_end(options.with_parent, parent)
    finally:
        if written:
            pathlib.Path(options.state_file).unlink(missing_ok=True)
        await sandbox.stop()


def main(arguments):
    parent = os.getppid()
    options = parse_options(arguments)
    with contextlib.ExitStack() as stack:
        tls_dir = options.tls_dir or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="esddns-sandbox-"))
        try:
            asyncio.run(run(options, tls_dir, parent))
        except (OSError, tls.TlsError, world.Refused) as error:
            print(f"sandbox: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
