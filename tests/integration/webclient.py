"""How the tests read what webd shows."""

import http.client
import json
import socket
import time

import promtext

SECONDS = 10
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)


def ask(port, path, method="GET", headers=None, host="127.0.0.1", timeout=SECONDS, body=None):
    """One request over a connection of its own; no redirects, no proxy."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def ask_raw(port, data, timeout=SECONDS, host="127.0.0.1"):
    """All bytes that come back until the server closes (b"" if it just does that)."""
    received = b""
    with socket.create_connection((host, port), timeout=timeout) as sock:
        try:
            sock.sendall(data)
            while part := sock.recv(65536):
                received += part
        except ConnectionError:
            pass
    return received


def metrics(port, openmetrics=False):
    """The parsed exposition in the asked format, its content type checked."""
    answer = ask(port, "/metrics", headers={"Accept": OPENMETRICS} if openmetrics else None)
    assert answer.status == 200, answer.text
    kind = answer.headers["Content-Type"].replace(" ", "")
    expected = "application/openmetrics-text;version=1.0.0;charset=utf-8" if openmetrics else \
        "text/plain;version=0.0.4"
    assert kind.startswith(expected), kind
    return promtext.Exposition(answer.text, openmetrics)


class EventStream:
    """A reader of /events (server-sent events, as HTML defines them)."""

    def __init__(self, port, host="127.0.0.1"):
        self._socket = socket.create_connection((host, port), timeout=SECONDS)
        self._socket.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n"
                             b"Accept: text/event-stream\r\n\r\n")
        self._response = http.client.HTTPResponse(self._socket, method="GET")
        self._response.begin()
        self.status = self._response.status
        self.content_type = self._response.headers.get("Content-Type", "")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._response.close()
        self._socket.close()

    def next(self, limit=SECONDS):
        """The next event as a dict of its fields, or None for a comment; TimeoutError."""
        end = time.monotonic() + limit
        fields = {}
        while True:
            self._socket.settimeout(max(0.01, end - time.monotonic()))
            line = self._response.readline()
            if not line:
                raise ConnectionError("the stream ended")
            text = line.decode("utf-8").rstrip("\n").removesuffix("\r")
            if not text:
                return fields or None
            if text.startswith(":"):
                continue
            name, _, value = text.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name in fields else value
