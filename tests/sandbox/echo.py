"""Echo services: they answer the WAN address of the connection's family, as public ones do.

Every operator answers on /OPERATOR/ip (plain text), /OPERATOR/cdn-cgi/trace (key=value lines)
and /OPERATOR/json.
"""

import json
import time

from httpd import Response, text_response
from world import OPERATORS

# Public services differ in whether the line ends: api.ipify.org sends none, icanhazip.com does.
ENDS_LINE = ("bravo", "delta", "foxtrot")


def operator_of(path):
    """The operator a path belongs to, or None."""
    name = path.split("/")[1]
    return name if name in OPERATORS else None


def trace_body(request, address):
    host = request.headers.get("host", "")
    lines = {"fl": "000f000", "h": host, "ip": address, "ts": f"{time.time():.3f}",
             "visit_scheme": request.transport, "uag": request.headers.get("user-agent", ""),
             "colo": "XXX", "sliver": "none", "http": "http/1.1", "loc": "XX",
             "tls": "TLSv1.3" if request.transport == "https" else "off",
             "sni": "plaintext" if request.transport == "https" else "off", "warp": "off"}
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def answer(request, operator, address):
    """The response to one question; address is what the operator believes."""
    endpoint = request.path.removeprefix(f"/{operator}")
    if endpoint not in ("/ip", "/cdn-cgi/trace", "/json"):
        return text_response(404, "no such page; there are ip, cdn-cgi/trace and json")
    if request.method not in ("GET", "HEAD"):
        response = text_response(405, "GET or HEAD only")
        response.headers["Allow"] = "GET, HEAD"
        return response
    headers = {"Cache-Control": "no-store"}
    if endpoint == "/ip":
        body = str(address) + ("\n" if operator in ENDS_LINE else "")
        return Response(200, body.encode(), "text/plain", headers)
    if endpoint == "/json":
        return Response(200, json.dumps({"ip": str(address)}).encode(), "application/json", headers)
    return Response(200, trace_body(request, address).encode(), "text/plain", headers)
