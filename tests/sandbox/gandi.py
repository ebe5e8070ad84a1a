"""Gandi LiveDNS v5 over the zones in memory, as it is on the wire."""

import collections
import hmac
import json
import re
import time
import urllib.parse

from httpd import Response
from zones import NAME, Invalid, check_items, check_rrset, describe_rrset

PREFIX = "/v5/livedns"
REQUESTS_A_MINUTE = 1000
PER_PAGE, PER_PAGE_MAX = 100, 1000
# Successes and errors come from two programs at Gandi, and spell the parameter differently.
JSON_OK = "application/json; charset=utf-8"
JSON_ERROR = "application/json; charset=UTF-8"

UNAUTHORIZED = ("The server could not verify that you authorized to access the document you "
                "requested. Either you supplied the wrong credentials (e.g., bad api key), or your "
                "access token has expired")
CREATED = {"message": "DNS Record Created"}


def json_response(status, value, headers=None):
    body = json.dumps(value, separators=(",", ":")).encode()
    return Response(status, body, JSON_OK, headers or {})


class Failure(Exception):
    """A request that ends with an error response."""

    def __init__(self, status, body, headers=None):
        super().__init__(f"{status}")
        self.response = Response(status, json.dumps(body).encode(), JSON_ERROR, headers or {})


def failure(code, cause, message, shown=None):
    return Failure(code, {"code": code, "message": message, "object": shown or
                          "HTTP" + cause.replace(" ", ""), "cause": cause})


def no_resource():
    return failure(404, "Not Found", "The resource could not be found.")


def no_record(name, kind=None):
    what = f"{name}/{kind}" if kind else name
    return failure(404, "Not Found", f"Can't find the DNS record {what} in the zone", "dns-record")


def method_not_allowed(*allowed):
    error = failure(405, "Method Not Allowed", "The method is not allowed for this resource.")
    error.response.headers["Allow"] = ", ".join(allowed)
    return error


def invalid_request(error):
    return Failure(400, {"status": "error", "errors": [
        {"location": location, "name": name, "description": description}
        for location, name, description in error.errors]})


def parse_body(request):
    """The JSON of a write. Another Content-Type is refused, whatever the body says."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise failure(415, "Unsupported Media Type",
                      "Content-Type must be application/json for this request.")

    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(request.body.decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        raise Invalid(("body", None, "Invalid JSON")) from None


def page_of(items, query):
    """The asked page of a list, with the total in the header Gandi uses."""
    numbers = {"page": 1, "per_page": PER_PAGE}
    for name in numbers:
        text = query.get(name)
        if text is None:
            continue
        if not re.fullmatch("[0-9]{1,6}", text):
            raise Invalid(("querystring", name, f'"{text}" is not a number'))
        if int(text) < 1:
            raise Invalid(("querystring", name, f"{int(text)} is less than minimum value 1"))
        numbers[name] = int(text)
    size = min(numbers["per_page"], PER_PAGE_MAX)
    start = (numbers["page"] - 1) * size
    return json_response(200, items[start:start + size], {"total-count": str(len(items))})


class Gandi:
    """The account: credentials, permissions, limit of requests, zones."""

    def __init__(self, zones, bearer, apikey):
        self.zones = zones
        self.forbidden = ()
        self._tokens = {"bearer": bearer, "apikey": apikey}
        self._recent = collections.deque()

    def set_tokens(self, tokens):
        """Changes the accepted credentials; None refuses the whole scheme."""
        self._tokens |= tokens

    def answer(self, request):
        """The response to one request; never raises for what a client sent."""
        try:
            self._admit(request)
            segments = [urllib.parse.unquote(s) for s in
                        request.path.removeprefix(PREFIX).split("/")[1:]]
            return self._dispatch(request, segments)
        except Failure as error:
            return error.response
        except Invalid as error:
            return invalid_request(error).response

    def _admit(self, request):
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 60:
            self._recent.popleft()
        if len(self._recent) >= REQUESTS_A_MINUTE:
            raise failure(429, "Too Many Requests", "Rate limit exceeded.")
        self._recent.append(now)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        expected = self._tokens.get(scheme.lower())
        if not expected or not hmac.compare_digest(token.strip().encode(), expected.encode()):
            raise failure(401, "Unauthorized", UNAUTHORIZED)
        if request.method in self.forbidden:
            raise Failure(403, {"object": "HTTPForbidden", "cause": "Forbidden", "code": 403,
                                "message": "Access was denied to this resource."})

    def _dispatch(self, request, segments):
        base = request.base + PREFIX
        if not segments or segments[0] != "domains" or len(segments) > 5:
            raise no_resource()
        if len(segments) == 1:
            return self._list_domains(request, base)
        fqdn, zone = segments[1], self.zones.get(segments[1])
        if zone is None or (len(segments) > 2 and segments[2] != "records"):
            raise no_resource()
        if len(segments) == 2:
            return self._show_domain(request, base, fqdn)
        name = segments[3] if len(segments) > 3 else None
        if name is not None and not NAME.fullmatch(name):
            raise no_resource()
        if len(segments) == 5:
            return self._one_rrset(request, base, fqdn, zone, (name, segments[4]))
        return self._many_rrsets(request, base, fqdn, zone, name)

    def _list_domains(self, request, base):
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed("GET", "HEAD")
        return page_of([{"fqdn": fqdn, "domain_href": f"{base}/domains/{fqdn}",
                         "domain_records_href": f"{base}/domains/{fqdn}/records"}
                        for fqdn in self.zones.names()], request.query)

    @staticmethod
    def _show_domain(request, base, fqdn):
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed("GET", "HEAD")
        href = f"{base}/domains/{fqdn}"
        return json_response(200, {"domain_keys_href": f"{href}/keys", "fqdn": fqdn,
                                   "automatic_snapshots": True,
                                   "domain_records_href": f"{href}/records", "domain_href": href})

    @staticmethod
    def _created(base, fqdn, key, rrset):
        location = describe_rrset(base, fqdn, *key, rrset)["rrset_href"]
        return json_response(201, CREATED, {"location": location})

    def _one_rrset(self, request, base, fqdn, zone, key):
        """/domains/{fqdn}/records/{name}/{type}"""
        if request.method in ("GET", "HEAD"):
            if key not in zone:
                raise no_record(*key)
            return json_response(200, describe_rrset(base, fqdn, *key, zone[key]))
        if request.method == "DELETE":
            if zone.pop(key, None) is None:
                raise no_record(*key)
            return Response(204)
        if request.method not in ("PUT", "POST"):
            raise method_not_allowed("GET", "HEAD", "PUT", "POST", "DELETE")
        rrset = check_rrset(key[1], parse_body(request))
        return self._store(request, base, fqdn, zone, key, rrset)

    def _store(self, request, base, fqdn, zone, key, rrset):
        if request.method == "POST" and key in zone:
            same = sorted(zone[key]["values"]) == sorted(rrset["values"])
            raise failure(409, "Conflict", "A DNS Record already exists with same value"
                          if same else "This record already exists")
        zone[key] = rrset
        return self._created(base, fqdn, key, rrset)

    def _many_rrsets(self, request, base, fqdn, zone, name):
        """/records and /records/{name}: a PUT or DELETE here replaces or removes all of them."""
        chosen = [key for key in sorted(zone) if name in (None, key[0])]
        if request.method in ("GET", "HEAD"):
            return self._list_rrsets(request, base, fqdn, zone, chosen, name)
        if request.method == "POST":
            return self._post_rrset(request, base, fqdn, zone, name)
        if request.method not in ("PUT", "DELETE"):
            raise method_not_allowed("GET", "HEAD", "PUT", "POST", "DELETE")
        rrsets = check_items(parse_body(request), name) if request.method == "PUT" else {}
        for key in chosen:
            del zone[key]
        zone.update(rrsets)
        return json_response(201, CREATED) if request.method == "PUT" else Response(204)

    @staticmethod
    def _list_rrsets(request, base, fqdn, zone, chosen, name):
        query = request.query
        for i, field in enumerate(("rrset_name", "rrset_type")):
            if field in query:
                chosen = [key for key in chosen if key[i] == query[field]]
        if name is not None and not chosen:
            raise no_record(name)
        return page_of([describe_rrset(base, fqdn, *key, zone[key]) for key in chosen], query)

    def _post_rrset(self, request, base, fqdn, zone, name):
        body = parse_body(request)
        (key, rrset), = check_items({"items": [body]}, name).items()
        return self._store(request, base, fqdn, zone, key, rrset)
