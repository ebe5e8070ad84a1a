"""States of the page that a running system takes long to come to, as webd would serve them.

http://127.0.0.1:PORT/held/ is the golden file of that state, with the headers of the webd that
runs, and everything below it is from that webd: the page's names are relative. What `changed`
maps a path's first part to makes of webd's own page what it returns.
"""

import http.server
import pathlib
import threading

import webclient

VIEWS = pathlib.Path(__file__).resolve().parents[1] / "golden" / "views"
STATES = sorted(path.stem for path in VIEWS.glob("*.html"))


class Gallery:
    def __init__(self, port, **changed):
        """port: of the webd that runs."""
        gallery = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                gallery.serve(self)

            def log_message(self, *_):
                pass

        self._port, self._changed = port, changed
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def url(self, name):
        return f"http://127.0.0.1:{self._server.server_address[1]}/{name}/"

    def serve(self, handler):
        name, _, rest = handler.path[1:].partition("/")
        answer = webclient.ask(self._port, f"/{rest}")
        body = answer.body
        if rest == "" and name in STATES:
            body = (VIEWS / f"{name}.html").read_bytes()
        elif rest == "" and name in self._changed:
            body = self._changed[name](answer.text).encode()
        handler.send_response(answer.status)
        for key, value in answer.headers.items():
            if key.lower() not in ("content-length", "connection", "date"):
                handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
