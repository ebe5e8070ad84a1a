"""The zones of the simulated Gandi account: record sets in memory, and the rules for them.

Rules and error texts are those that the real service is known for; where nothing is known, those of
the validation library whose shape the recorded errors have.
"""

import ipaddress
import re

TTL_MIN, TTL_MAX, TTL_DEFAULT = 300, 2592000, 10800
TYPES = ("A", "AAAA", "ALIAS", "CAA", "CDS", "CNAME", "DNAME", "DS", "KEY", "LOC", "MX", "NAPTR",
         "NS", "OPENPGPKEY", "PTR", "RP", "SPF", "SRV", "SSHFP", "TLSA", "TXT", "WKS")
NAME = re.compile(r"@|[A-Za-z0-9_*][A-Za-z0-9_*.-]{0,252}")

DEFAULT_RECORDS = (
    ("@", "MX", 10800, ("10 spool.mail.gandi.net.", "50 fb.mail.gandi.net.")),
    ("@", "NS", 10800, ("ns-1-a.gandi.net.", "ns-2-b.gandi.net.", "ns-3-c.gandi.net.")),
    ("@", "TXT", 10800, ('"v=spf1 include:_mailcust.gandi.net ?all"',)),
    ("_imap._tcp", "SRV", 10800, ("0 0 0 .",)),
    ("*.dev", "CNAME", 3600, ("www",)),
    ("mail", "A", 1800, ("198.20.1.25",)),
    ("mail", "AAAA", 1800, ("2001:200:1::25",)),
    ("www", "A", 10800, ("198.20.1.80", "198.20.1.81")),
)


class Invalid(Exception):
    """A body that is refused: a list of (location, name, description)."""

    def __init__(self, *errors):
        super().__init__("; ".join(str(error[2]) for error in errors))
        self.errors = errors


def check_ttl(body):
    """The TTL of a record set's body: the default where it is absent (recorded behaviour)."""
    ttl = body.get("rrset_ttl", TTL_DEFAULT)
    if isinstance(ttl, bool) or not isinstance(ttl, int):
        raise Invalid(("body", "rrset_ttl", f'"{ttl}" is not a number'))
    if ttl < TTL_MIN:
        raise Invalid(("body", "rrset_ttl", f"{ttl} is less than minimum value {TTL_MIN}"))
    if ttl > TTL_MAX:
        raise Invalid(("body", "rrset_ttl", f"{ttl} is greater than maximum value {TTL_MAX}"))
    return ttl


def check_value(kind, value, place):
    """One value as it will be stored. Any address is taken: 127.0.0.1 too (recorded)."""
    if not isinstance(value, str) or not value or len(value) > 4096:
        raise Invalid(("body", place, f'"{value}" is not a string'))
    if kind in ("A", "AAAA"):
        try:
            (ipaddress.IPv4Address if kind == "A" else ipaddress.IPv6Address)(value)
        except ValueError:
            raise Invalid(("body", place, f'"{value}" is not a valid {kind} value')) from None
    if kind in ("TXT", "SPF") and not value.startswith('"'):
        return f'"{value}"'
    return value


def check_rrset(kind, body):
    """{"ttl", "values"} from a request's body, or Invalid."""
    if not isinstance(body, dict):
        raise Invalid(("body", None, "Invalid JSON"))
    if kind not in TYPES:
        raise Invalid(("path", "rrset_type", f'"{kind}" is not one of {", ".join(TYPES)}'))
    ttl = check_ttl(body)
    values = body.get("rrset_values")
    if values is None:
        raise Invalid(("body", "rrset_values", "Required"))
    if not isinstance(values, list):
        raise Invalid(("body", "rrset_values", f'"{values}" is not iterable'))
    if not 1 <= len(values) <= 500:
        raise Invalid(("body", "rrset_values", "Shorter than minimum length 1"
                       if not values else "Longer than maximum length 500"))
    return {"ttl": ttl, "values": [check_value(kind, value, f"rrset_values.{i}")
                                   for i, value in enumerate(values)]}


def check_items(body, name=None):
    """{(name, type): rrset} from a body with `items`; the path's name wins over the body's."""
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise Invalid(("body", "items", "Required"))
    rrsets = {}
    for i, item in enumerate(items):
        owner = name or (item.get("rrset_name") if isinstance(item, dict) else None)
        if not isinstance(owner, str) or not NAME.fullmatch(owner):
            raise Invalid(("body", f"items.{i}.rrset_name", "Required"))
        kind = item.get("rrset_type") if isinstance(item, dict) else None
        rrsets[owner, kind] = check_rrset(kind, item)
    return rrsets


class Zones:
    """Zones by name. Names and types match by their exact spelling, case included."""

    def __init__(self):
        self._zones = {}

    def add(self, fqdn):
        """A new zone with the default records; an old one of that name starts afresh."""
        self._zones[fqdn] = {(name, kind): {"ttl": ttl, "values": list(values)}
                             for name, kind, ttl, values in DEFAULT_RECORDS}

    def remove(self, fqdn):
        return self._zones.pop(fqdn, None) is not None

    def names(self):
        return sorted(self._zones)

    def get(self, fqdn):
        """The zone's record sets as a dict of (name, type), or None. It may be changed."""
        return self._zones.get(fqdn)


def describe_rrset(base, fqdn, name, kind, rrset):
    """A record set as the API shows it, fields in the recorded order."""
    spelled = name.replace("@", "%40").replace("*", "%2A")
    return {"rrset_type": kind, "rrset_ttl": rrset["ttl"], "rrset_name": name,
            "rrset_href": f"{base}/domains/{fqdn}/records/{spelled}/{kind}",
            "rrset_values": list(rrset["values"])}
