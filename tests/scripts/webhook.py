"""MetalLB's webhook, as the API server sees it: it may come late, and it may refuse."""

import http.server
import json
import ssl
import threading


class Webhook:
    """Listens from start() to stop(), on a port that was chosen before."""

    def __init__(self, port, certificates):
        self._port, self._certificates = port, certificates
        self._server = None
        self.refusal = None         # why it refuses everything
        self.seen = []              # the addresses of each pool that it was asked about

    def start(self):
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):      # pylint: disable=invalid-name
                length = int(self.headers["Content-Length"])
                body = json.dumps(hook.answer(json.loads(self.rfile.read(length)))).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):      # pylint: disable=arguments-differ
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self._certificates / "server.crt", self._certificates / "server.key")
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, review):
        request = review["request"]
        self.seen.append(request["object"]["spec"]["addresses"])
        response = {"uid": request["uid"], "allowed": self.refusal is None}
        if self.refusal:
            response["status"] = {"message": self.refusal}
        return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
