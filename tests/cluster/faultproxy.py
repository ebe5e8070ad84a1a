"""A proxy between one instance and the API server: counts requests, and spoils what a test names.

    proxy = FaultProxy(certificates, upstream_port)
    rule = proxy.add("PATCH", "/configmaps/esddns-wan-ip", lose_reply())
    ...
    assert rule.hits == 1

It ends TLS on both sides and speaks HTTP/1.1, a thread for each connection: a few dozen at most.
"""

import json
import re
import select
import socket
import ssl
import threading
import time

SECONDS = 30        # for a connection that makes no progress where it must
REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired",
           422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 504: "Timeout"}


class Ended(Exception):
    """The connection is over: closed by a side, or by a fault."""


class Request:
    """One request as it came. status: what its sender was answered; None: nothing (yet)."""

    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.at = time.monotonic()
        self.status = None
        self.done = False       # the API server has carried it out

    @property
    def watch(self):
        return "watch=" in self.target

    @property
    def token(self):
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def agent(self):
        """esddns-detector or esddns-updater."""
        return self.headers.get("user-agent", "").partition("/")[0]

    def __repr__(self):
        return f"{self.method} {self.target} {self.agent} -> {self.status}"


class Wire:
    """One side of a connection, read as HTTP is."""

    def __init__(self, sock, flow, other=None):
        self.sock, self.other = sock, other
        self._flow, self._buffer = flow, bytearray()

    def _wait(self):
        """Until there is something to read; the other side may go meanwhile."""
        if self.sock.pending():
            return
        watched = [self.sock] + ([self.other] if self.other else [])
        ready, _, _ = select.select(watched, [], [])
        if self.sock not in ready:
            raise Ended     # it sends nothing while it waits for an answer: it has closed

    def fill(self):
        self._wait()
        self._flow.wait()
        part = self.sock.recv(65536)
        if not part:
            raise Ended
        self._buffer += part

    def line(self):
        while b"\n" not in self._buffer:
            self.fill()
        end = self._buffer.index(b"\n") + 1
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        return line

    def some(self, most):
        """1 to `most` bytes."""
        if not self._buffer:
            self.fill()
        part = bytes(self._buffer[:most])
        del self._buffer[:most]
        return part

    def send(self, data):
        self._flow.wait()
        self.sock.sendall(data)

    def head(self):
        """(first line, headers, all of it as it came)"""
        lines = [self.line()]
        while lines[-1] not in (b"\r\n", b"\n"):
            lines.append(self.line())
        headers = {}
        for line in lines[1:-1]:
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return lines[0].decode("latin-1").strip(), headers, b"".join(lines)

    def body(self, headers):
        """The pieces of a body, as they come."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self.line().split(b";")[0], 16):
                yield from self._pieces(size)
                self.line()
            self.line()
        else:
            yield from self._pieces(int(headers.get("content-length", 0)))

    def _pieces(self, left):
        while left:
            part = self.some(left)
            left -= len(part)
            yield part


# --- faults -----------------------------------------------------------------------


class Fault:
    """What is done to one request; this one does nothing to it."""

    def before(self, _request):
        """Before the API server sees it; (status, headers, body) to answer in its place."""
        return None

    def reply(self, pieces):
        """The pieces of the answer's body as they are sent on; may raise Ended."""
        return pieces

    loses_reply = False


class Answer(Fault):
    """In the API server's place, with a Status as it would make it."""

    def __init__(self, status, headers=None, message="the fault proxy says so"):
        self._status, self._headers, self._message = status, headers or {}, message

    def before(self, _request):
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": self._message, "reason": REASONS[self._status], "code": self._status}
        return self._status, self._headers, json.dumps(body).encode()


class Delay(Fault):
    """Held back before the API server sees it."""

    def __init__(self, seconds):
        self._seconds = seconds

    def before(self, _request):
        time.sleep(self._seconds)


class HangUp(Fault):
    """Closed; the API server never sees it."""

    def before(self, _request):
        raise Ended


class LoseReply(Fault):
    """Carried out; and then the connection breaks."""

    loses_reply = True


class Truncate(Fault):
    """Breaks off in the middle of the line that follows so many whole ones."""

    def __init__(self, lines=0):
        self._lines = lines

    def reply(self, pieces):
        left = self._lines
        for piece in pieces:
            for line in piece.splitlines(keepends=True):
                if left == 0:
                    yield line[:len(line) // 2]
                    raise Ended
                left -= line.endswith(b"\n")
                yield line


class Drip(Fault):
    """A byte in each chunk."""

    def reply(self, pieces):
        for piece in pieces:
            for i in range(len(piece)):
                yield piece[i:i + 1]


class Rule:
    """A fault for the requests with this method whose target the pattern is found in."""

    def __init__(self, method, pattern, fault, skip, times, where):
        self.hits = 0
        self._method, self._pattern, self._fault = method, re.compile(pattern), fault
        self._skip, self._times, self._where = skip, times, where

    def take(self, request):
        """The fault, if it is this request's turn."""
        if self._method not in (None, request.method) or \
                not self._pattern.search(request.target) or \
                (self._where is not None and not self._where(request)):
            return None
        if self._skip > 0:
            self._skip -= 1
            return None
        if self._times is not None and self.hits >= self._times:
            return None
        self.hits += 1
        return self._fault


# --- the proxy --------------------------------------------------------------------


class FaultProxy:
    """Listens on 127.0.0.1:port, which stays its own until close()."""

    def __init__(self, certificates, upstream_port):
        self.requests = []
        self._upstream_port = upstream_port
        self._lock = threading.Lock()
        self._rules, self._open = [], set()
        self._flow = threading.Event()
        self._flow.set()
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.load_cert_chain(certificates / "server.crt", certificates / "server.key")
        self._server.set_alpn_protocols(["http/1.1"])
        self._client = ssl.create_default_context(cafile=certificates / "ca.crt")
        self._client.set_alpn_protocols(["http/1.1"])
        self._listener = None
        self.port = 0
        self._listen()

    # what a test does

    def add(self, method, pattern, fault, skip=0, times=1, where=None):
        """A rule: method None is any, times None is for good; the first that fits counts."""
        rule = Rule(method, pattern, fault, skip, times, where)
        with self._lock:
            self._rules.append(rule)
        return rule

    def heal(self):
        """No rules; flows, listens, and carries."""
        with self._lock:
            self._rules.clear()
        self._flow.set()
        if self._listener is None:
            self._listen()

    def silence(self):
        """Nothing comes through, and nobody is told."""
        self._flow.clear()

    def cut(self):
        """Connections break, and new ones are refused."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # wakes up accept(), which would go on with the old socket
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.break_connections()

    def break_connections(self):
        """All that are open now; new ones are welcome."""
        with self._lock:
            sockets = list(self._open)
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._flow.set()
        self.cut()

    def count(self, method=None, pattern="", agent=None, since=0.0, status=None):
        return len(self.select(method, pattern, agent, since, status))

    def select(self, method=None, pattern="", agent=None, since=0.0, status=None):
        """The requests so far that fit, oldest first."""
        with self._lock:
            requests = list(self.requests)
        return [r for r in requests if method in (None, r.method) and agent in (None, r.agent) and
                re.search(pattern, r.target) and r.at >= since and status in (None, r.status)]

    # the machinery

    def _listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _hold(self, sock):
        with self._lock:
            self._open.add(sock)
        return sock

    def _release(self, *sockets):
        for sock in sockets:
            if sock is not None:
                with self._lock:
                    self._open.discard(sock)
                sock.close()

    def _serve(self, plain):
        """One connection, to its end."""
        self._hold(plain)
        client = upstream = None
        try:
            self._flow.wait()
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(SECONDS)
            client = self._hold(self._server.wrap_socket(plain, server_side=True))
            client.settimeout(None)
            near = Wire(client, self._flow)
            while True:
                request = self._read(near)
                fault = self._fault(request)
                instead = fault.before(request)
                if instead:
                    self._answer(near, request, *instead)
                    continue
                if upstream is None:
                    upstream = self._hold(self._connect())
                self._carry(near, Wire(upstream, self._flow, client), request, fault)
        except (Ended, OSError, ValueError):
            pass            # that connection is over, and its sender sees that
        finally:
            self._release(upstream, client, plain)

    def _connect(self):
        sock = socket.create_connection(("127.0.0.1", self._upstream_port), timeout=SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock = self._client.wrap_socket(sock, server_hostname="127.0.0.1")
        sock.settimeout(None)
        return sock

    def _read(self, near):
        line, headers, _ = near.head()
        method, target, _ = line.split(" ", 2)
        request = Request(method, target, headers, b"".join(near.body(headers)))
        with self._lock:
            self.requests.append(request)
        return request

    def _fault(self, request):
        with self._lock:
            for rule in self._rules:
                fault = rule.take(request)
                if fault:
                    return fault
        return Fault()

    @staticmethod
    def _answer(near, request, status, headers, body):
        lines = [f"HTTP/1.1 {status} {REASONS[status]}", "Content-Type: application/json",
                 f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
        near.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        request.status = status

    @staticmethod
    def _carry(near, far, request, fault):
        headers = {k: v for k, v in request.headers.items()
                   if k not in ("content-length", "transfer-encoding", "expect")}
        lines = [f"{request.method} {request.target} HTTP/1.1",
                 f"content-length: {len(request.body)}", *(f"{k}: {v}" for k, v in headers.items())]
        far.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body)
        line, headers, _ = far.head()
        status = int(line.split(" ")[1])
        pieces = far.body(headers)
        if fault.loses_reply:
            for _ in pieces:
                pass
            request.done = True
            raise Ended
        request.status = status
        kept = [f"{k}: {v}" for k, v in headers.items()
                if k not in ("content-length", "transfer-encoding")]
        head = "\r\n".join([line, "transfer-encoding: chunked", *kept]).encode("latin-1")
        near.send(head + b"\r\n\r\n")
        for piece in fault.reply(pieces):
            near.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        near.send(b"0\r\n\r\n")
        request.done = True
