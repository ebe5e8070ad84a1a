"""A small strict HTTP/1.1 server (RFC 9112) that can also answer badly on purpose.

The application is a plain function from a Request to a Response. How the response is delivered
(late, cut short, a byte at a time, not at all) is a property of the response.
"""

import asyncio
import contextlib
import dataclasses
import email.utils
import enum
import http
import re
import socket
import urllib.parse

HEAD_MAX = 16384
BODY_MAX = 65536
IDLE_SECONDS = 75

REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) (/[!-~]{0,4095}) HTTP/1\.([01])\Z")
HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*\Z")


class Delivery(enum.Enum):
    """What becomes of a response on its way."""

    WHOLE = "whole"
    CLOSE = "close"
    SILENT = "silent"
    TRUNCATE = "truncate"
    DRIP = "drip"


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: dict
    body: bytes
    family: str
    transport: str
    peer: str
    connection: int

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return dict(urllib.parse.parse_qsl(self.target.partition("?")[2]))

    @property
    def base(self):
        return f"{self.transport}://{self.headers.get('host', 'localhost')}"


@dataclasses.dataclass
class Response:
    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: dict = dataclasses.field(default_factory=dict)
    delivery: Delivery = Delivery.WHOLE
    delay: float = 0    # seconds before the first byte
    pause: float = 0    # seconds between bytes, for DRIP


def text_response(status, text):
    return Response(status, text.encode() + b"\n", "text/plain; charset=utf-8")


class BadRequest(Exception):
    """The request cannot be parsed; the status to answer with, and why."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


def parse_head(head):
    """(method, target, minor version, headers by lower-case name), or BadRequest."""
    lines = head.split(b"\r\n")
    match = REQUEST_LINE.match(lines[0])
    if not match:
        raise BadRequest(400, "malformed request line")
    method, target, minor = match[1].decode(), match[2].decode(), int(match[3])
    headers = {}
    for line in lines[1:]:
        match = HEADER_LINE.match(line)
        if not match:
            raise BadRequest(400, "malformed header")
        name, value = match[1].decode().lower(), match[2].decode("latin-1")
        if name in headers and name in ("host", "content-length", "authorization", "content-type"):
            raise BadRequest(400, f"header {name} is there twice")
        headers[name] = value
    if minor == 1 and "host" not in headers:
        raise BadRequest(400, "no Host header")
    return method, target, minor, headers


def body_length(headers):
    if "transfer-encoding" in headers:
        raise BadRequest(411, "a body needs a Content-Length here")
    text = headers.get("content-length", "0")
    if not re.fullmatch("[0-9]{1,9}", text):
        raise BadRequest(400, "malformed Content-Length")
    if int(text) > BODY_MAX:
        raise BadRequest(413, "body too large")
    return int(text)


def encode_response(response, method, keep_alive):
    """(head, body) as they go on the wire."""
    phrase = http.HTTPStatus(response.status).phrase \
        if response.status in set(http.HTTPStatus) else "Unknown"
    fields = {"Server": "esddns-sandbox", "Date": email.utils.formatdate(usegmt=True)}
    if response.content_type:
        fields["Content-Type"] = response.content_type
    if response.status != 204:
        fields["Content-Length"] = str(len(response.body))
    fields["Connection"] = "keep-alive" if keep_alive else "close"
    given = {name.lower() for name in response.headers}
    fields = {k: v for k, v in fields.items() if k.lower() not in given} | response.headers
    lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{k}: {v}" for k, v in fields.items())]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
    return head, b"" if method == "HEAD" or response.status == 204 else response.body


class HttpServer:
    """Serves one application on listening sockets. `start` gives each its transport's name."""

    def __init__(self, application, new_connection):
        self._application = application
        self._new_connection = new_connection
        self._servers = []
        self._tasks = set()

    async def start(self, sock, transport, ssl=None):
        async def serve(reader, writer):
            task = asyncio.current_task()
            self._tasks.add(task)
            try:
                await self._serve(reader, writer, transport)
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                self._tasks.discard(task)
                writer.transport.abort()

        self._servers.append(await asyncio.start_server(serve, sock=sock, ssl=ssl, limit=HEAD_MAX))

    async def stop(self):
        for server in self._servers:
            server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer, transport):
        sock = writer.get_extra_info("socket")
        peer = writer.get_extra_info("peername")
        family = "ipv6" if sock.family == socket.AF_INET6 else "ipv4"
        about = {"family": family, "transport": transport,
                 "peer": f"[{peer[0]}]:{peer[1]}" if family == "ipv6" else f"{peer[0]}:{peer[1]}",
                 "connection": self._new_connection()}
        keep_alive = True
        while keep_alive:
            try:
                request, keep_alive = await self._read(reader, writer, about)
            except BadRequest as error:
                await self._deliver(reader, writer, text_response(error.status, str(error)),
                                    "GET", False)
                return
            if request is None:
                return
            response = self._application(request)
            keep_alive = await self._deliver(reader, writer, response, request.method, keep_alive)

    async def _read(self, reader, writer, about):
        """(request, keep the connection), or (None, False) at its end."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
                method, target, minor, headers = parse_head(head)
                length = body_length(headers)
                if length and headers.get("expect", "").lower() == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, TimeoutError):
            return None, False
        except asyncio.LimitOverrunError:
            raise BadRequest(431, "header too large") from None
        options = {o.strip().lower() for o in headers.get("connection", "").split(",")}
        keep_alive = "close" not in options if minor == 1 else "keep-alive" in options
        return Request(method, target, headers, body, **about), keep_alive

    async def _deliver(self, reader, writer, response, method, keep_alive):
        """Sends the response its way; whether the connection may go on."""
        if response.delay:
            await asyncio.sleep(response.delay)
        if response.delivery is Delivery.SILENT:
            # Held open until the client gives up; what it still sends is thrown away.
            while await reader.read(4096):
                pass
            return False
        if response.delivery is Delivery.CLOSE:
            await self._close(writer)
            return False
        keep_alive = keep_alive and response.delivery is not Delivery.TRUNCATE
        head, body = encode_response(response, method, keep_alive)
        if response.delivery is Delivery.TRUNCATE:
            head, body = (head, body[:len(body) // 2]) if len(body) > 1 else (head[:-10], b"")
        await self._send(writer, head + body, response)
        if not keep_alive:
            await self._close(writer)
        return keep_alive

    @staticmethod
    async def _send(writer, data, response):
        if response.delivery is Delivery.DRIP:
            for i in range(len(data)):
                writer.write(data[i:i + 1])
                await writer.drain()
                await asyncio.sleep(response.pause)
        else:
            writer.write(data)
            await writer.drain()

    @staticmethod
    async def _close(writer):
        """An orderly end: what was written gets out first, then (TLS) close_notify and FIN."""
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                await writer.wait_closed()
