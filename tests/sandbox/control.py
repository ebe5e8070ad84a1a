"""The control API: plain requests, meant for curl and for tests."""

import ipaddress
import json
import re
import urllib.parse

from gandi import PREFIX
from httpd import Response, text_response
from world import Refused, check_methods
from zones import NAME, Invalid, check_rrset, describe_rrset

ZONE_NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")

HELP = """ESDDNS sandbox: the outside world on loopback. This is its control API.

  curl {url}/wan                                         both simulated addresses
  curl -X PUT -d 198.20.0.8 {url}/wan/ipv4               change one; "none" takes it away
  curl -X PUT -d 2001:200::8 {url}/wan/ipv6

  curl {url}/fault                                       all faults in force
  curl -X PUT -d '{{"mode":"slow","seconds":3}}' {url}/fault/alpha
  curl -X PUT -d '{{"mode":"wrong","address":"203.0.113.66"}}' {url}/fault/stun1
  curl -X PUT -d '{{"mode":"answer","status":503,"headers":{{"Retry-After":"7"}},"times":2}}' \\
       {url}/fault/gandi
  curl -X PUT -d '{{"mode":"late","seconds":8}}' {url}/fault/gandi
  curl -X DELETE {url}/fault/alpha                       heal one; without a name: all
    endpoints: {names}
    modes:     slow wrong close silent truncate answer drip; gandi: late, not wrong;
               stun: raw wrong-id error mapped-only, not answer
    any fault also takes times, family (ipv4|ipv6), transport (http|https|udp|tcp), methods

  curl {url}/zones                                       the account's zones
  curl -X PUT {url}/zones/example.org                    add one (DELETE takes it away)
  curl {url}/zone/example.com                            all record sets
  curl -X PUT -d '{{"rrset_values":["198.20.0.1"],"rrset_ttl":300}}' \\
       {url}/zone/example.com/@/A                        edit, as a person at the provider would
  curl -X DELETE {url}/zone/example.com/www/A
  curl -X PUT -d '{{"bearer":"new-token","apikey":null}}' {url}/gandi/token
  curl -X PUT -d '{{"methods":["PUT"]}}' {url}/gandi/forbid     403 for these; [] lifts it

  curl {url}/log                                         the last 1000 requests
  curl {url}/counts                                      how many there were
  curl -X DELETE {url}/log                               clear both
"""


def json_response(value, status=200):
    return Response(status, json.dumps(value, indent=1).encode() + b"\n", "application/json")


class Unknown(Exception):
    """No such thing: 404. The text says what."""


class Control:
    """The application behind the control port."""

    def __init__(self, world, gandi, public_base):
        self._world = world
        self._gandi = gandi
        self._public_base = public_base
        self._calls = {
            "": {"GET": self._help},
            "wan": {"GET": self._show_wan, "PUT": self._set_wan},
            "fault": {"GET": self._show_faults, "PUT": self._set_fault, "DELETE": self._heal},
            "zones": {"GET": self._list_zones, "PUT": self._add_zone, "DELETE": self._remove_zone},
            "zone": {"GET": self._show_zone, "PUT": self._edit, "DELETE": self._erase},
            "gandi": {"PUT": self._set_gandi},
            "log": {"GET": self._show_log, "DELETE": self._clear_log},
            "counts": {"GET": self._show_counts},
        }

    def __call__(self, request):
        # A page in a browser must not be able to reach this through a name of its own.
        if not is_loopback_host(request.headers.get("host", "localhost")):
            return text_response(403, "the Host header must name a loopback address")
        first, *rest = [urllib.parse.unquote(s) for s in request.path.split("/")[1:]]
        methods = self._calls.get(first)
        if methods is None:
            return text_response(404, "no such call; GET / lists them all")
        if request.method not in methods:
            return text_response(405, f"{first or '/'} takes {', '.join(methods)}")
        try:
            return methods[request.method](request, rest)
        except Refused as error:
            return text_response(400, str(error))
        except Unknown as error:
            return text_response(404, str(error))
        except Invalid as error:
            return text_response(400, "; ".join(f"{e[0]}.{e[1]}: {e[2]}" for e in error.errors))

    def _help(self, request, rest):
        names = ", ".join(self._world.faults.names())
        return text_response(200, HELP.format(url=request.base, names=names).rstrip())

    def _show_wan(self, request, rest):
        expect(rest, 0)
        return json_response(self._world.wan.as_dict())

    def _set_wan(self, request, rest):
        family, = expect(rest, 1)
        self._world.wan.set(family, text_of(request))
        return json_response(self._world.wan.as_dict())

    def _show_faults(self, request, rest):
        expect(rest, 0)
        return json_response(self._world.faults.as_dict())

    def _set_fault(self, request, rest):
        name, = expect(rest, 1)
        self._world.faults.set(name, json_of(request))
        return json_response(self._world.faults.as_dict())

    def _heal(self, request, rest):
        self._world.faults.heal(expect(rest, 1)[0] if rest else None)
        return json_response(self._world.faults.as_dict())

    def _list_zones(self, request, rest):
        expect(rest, 0)
        return json_response(self._gandi.zones.names())

    def _add_zone(self, request, rest):
        fqdn, = expect(rest, 1)
        check_zone_name(fqdn)
        self._gandi.zones.add(fqdn)
        return json_response(self._gandi.zones.names(), 201)

    def _remove_zone(self, request, rest):
        fqdn, = expect(rest, 1)
        if not self._gandi.zones.remove(fqdn):
            raise Unknown(f"there is no zone {fqdn}")
        return json_response(self._gandi.zones.names())

    def _zone(self, fqdn):
        zone = self._gandi.zones.get(fqdn)
        if zone is None:
            raise Unknown(f"there is no zone {fqdn}")
        return zone

    def _describe(self, fqdn, key, rrset):
        return describe_rrset(self._public_base + PREFIX, fqdn, *key, rrset)

    def _show_zone(self, request, rest):
        """The zone, or with a name and a type one record set of it."""
        fqdn, *key = expect(rest, 1, 3)
        zone = self._zone(fqdn)
        if key:
            if tuple(key) not in zone:
                raise Unknown(f"there is no {'/'.join(key)} in {fqdn}")
            return json_response(self._describe(fqdn, key, zone[tuple(key)]))
        return json_response([self._describe(fqdn, k, zone[k]) for k in sorted(zone)])

    def _edit(self, request, rest):
        fqdn, name, kind = expect(rest, 3)
        zone = self._zone(fqdn)
        if not NAME.fullmatch(name):
            raise Refused(f"{name!r} is not a record's name")
        zone[name, kind] = check_rrset(kind, json_of(request))
        return json_response(self._describe(fqdn, (name, kind), zone[name, kind]))

    def _erase(self, request, rest):
        fqdn, name, kind = expect(rest, 3)
        if self._zone(fqdn).pop((name, kind), None) is None:
            raise Unknown(f"there is no {name}/{kind} in {fqdn}")
        return json_response({})

    def _set_gandi(self, request, rest):
        what, = expect(rest, 1)
        value = json_of(request)
        if not isinstance(value, dict):
            raise Refused("a JSON object is needed")
        if what == "token":
            if not value or not all(scheme in ("bearer", "apikey") and
                                    (token is None or isinstance(token, str) and token)
                                    for scheme, token in value.items()):
                raise Refused("bearer and apikey take a string, or null to refuse the scheme")
            self._gandi.set_tokens(value)
            return json_response({"schemes": sorted(s for s, token in value.items() if token)})
        if what == "forbid":
            check_methods(value.get("methods"))
            self._gandi.forbidden = tuple(value["methods"])
            return json_response({"methods": list(self._gandi.forbidden)})
        raise Unknown("there are gandi/token and gandi/forbid")

    def _show_log(self, request, rest):
        expect(rest, 0)
        return json_response(self._world.log.entries())

    def _clear_log(self, request, rest):
        expect(rest, 0)
        self._world.log.clear()
        return json_response({})

    def _show_counts(self, request, rest):
        expect(rest, 0)
        return json_response(self._world.log.counts())


def expect(rest, *lengths):
    """The rest of the path, if it has one of these numbers of segments."""
    if len(rest) not in lengths or not all(rest):
        raise Unknown("no such call; GET / lists them all")
    return rest


def text_of(request):
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        raise Refused("the body is not UTF-8") from None


def json_of(request):
    try:
        return json.loads(text_of(request))
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is not JSON: {error}") from None


def check_zone_name(fqdn):
    if not ZONE_NAME.fullmatch(fqdn):
        raise Refused(f"{fqdn!r} is not a zone's name (lower case, no dot at the end)")


def is_loopback_host(host):
    name = re.sub(r":[0-9]*\Z", "", host).strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
