"""What the simulated world is like now: WAN addresses, faults, and what was asked of it.

Everything here is plain state without I/O. One event loop owns it, so nothing needs a lock.
"""

import collections
import dataclasses
import ipaddress
import time

OPERATORS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot")
FAMILIES = ("ipv4", "ipv6")
TRANSPORTS = ("http", "https", "udp", "tcp")
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")
WRITES = ("PUT", "POST", "DELETE")

LOG_ENTRIES = 1000
BODY_LOGGED = 16384
SECONDS_MAX = 3600

# Which faults make sense for which kind of endpoint.
MODES = {
    "echo": ("slow", "wrong", "close", "silent", "truncate", "answer", "drip"),
    "gandi": ("slow", "close", "silent", "truncate", "answer", "drip", "late"),
    "stun": ("slow", "wrong", "close", "silent", "truncate", "drip", "raw", "wrong-id", "error",
             "mapped-only"),
}
# The fields a mode takes beyond those every fault takes; True: it must be there.
FIELDS = {
    "slow": {"seconds": True},
    "late": {"seconds": True},
    "drip": {"seconds": False},
    "wrong": {"address": True},
    "answer": {"status": True, "body": False, "headers": False},
    "raw": {"hex": True},
    "error": {"code": True},
}
COMMON_FIELDS = ("mode", "times", "methods", "family", "transport")


class Refused(Exception):
    """A setting that was asked for makes no sense; the text says why."""


def family_of(address):
    return "ipv4" if address.version == 4 else "ipv6"


def parse_address(text):
    """The address in text, or Refused. Scoped addresses are none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Refused(f"{text!r} is not an IP address") from None
    if getattr(address, "scope_id", None):
        raise Refused(f"{text!r} has a scope")
    return address


class Wan:
    """The address the world sees, for each family; None where there is no connectivity."""

    def __init__(self, ipv4, ipv6):
        self._addresses = dict.fromkeys(FAMILIES)
        self.set("ipv4", ipv4)
        self.set("ipv6", ipv6)

    def get(self, family):
        return self._addresses[family]

    def set(self, family, text):
        """Takes an address of that family, or "none"."""
        if family not in FAMILIES:
            raise Refused(f"{family!r} is not a family: ipv4 or ipv6")
        text = text.strip()
        address = None if text == "none" else parse_address(text)
        if address is not None and family_of(address) != family:
            raise Refused(f"{text} is not an {family} address")
        self._addresses[family] = address

    def as_dict(self):
        return {family: str(address) if address else None
                for family, address in self._addresses.items()}


@dataclasses.dataclass(frozen=True)
class Caller:
    """One exchange seen from outside: which endpoint, over what, from whom."""

    name: str
    method: str
    family: str
    transport: str
    peer: str
    connection: int | None = None


class Fault:
    """One checked fault. `spec` is what was asked for, without `times`."""

    def __init__(self, kind, spec):
        if not isinstance(spec, dict):
            raise Refused("a fault is a JSON object with a mode")
        self.mode = spec.get("mode")
        if self.mode not in MODES[kind]:
            raise Refused(f"mode {self.mode!r} is not one of: {', '.join(MODES[kind])}")
        known = FIELDS.get(self.mode, {})
        for field in spec:
            if field not in COMMON_FIELDS and field not in known:
                raise Refused(f"{self.mode} takes no field {field!r}")
        for field, needed in known.items():
            if needed and field not in spec:
                raise Refused(f"{self.mode} needs {field!r}")
        self.spec = {field: value for field, value in spec.items() if field != "times"}
        self.left = self._integer(spec, "times", 1, 1_000_000)
        self.family = self._choice(spec, "family", FAMILIES)
        self.transport = self._choice(spec, "transport", TRANSPORTS)
        self.methods = self._methods(kind, spec)
        self.seconds = self._seconds(spec)
        self.status = self._integer(spec, "status", 200, 599)
        self.code = self._integer(spec, "code", 0, 799)
        self.body = self._text(spec, "body") or ""
        self.headers = self._headers(spec)
        self.hex = self._hex(spec)
        self.address = None
        if "address" in spec:
            self.address = parse_address(self._text(spec, "address"))
            # A liar about IPv4 lies to those who ask over IPv4, unless told otherwise.
            self.family = self.family or family_of(self.address)

    @staticmethod
    def _integer(spec, field, low, high):
        value = spec.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Refused(f"{field} must be an integer from {low} to {high}")
        return value

    @staticmethod
    def _choice(spec, field, choices):
        value = spec.get(field)
        if value is not None and value not in choices:
            raise Refused(f"{field} must be one of: {', '.join(choices)}")
        return value

    @staticmethod
    def _text(spec, field):
        value = spec.get(field)
        if value is not None and not isinstance(value, str):
            raise Refused(f"{field} must be a string")
        return value

    def _methods(self, kind, spec):
        value = spec.get("methods")
        if value is None:
            return WRITES if self.mode == "late" else None
        if kind == "stun":
            raise Refused("methods are for HTTP endpoints")
        check_methods(value)
        if self.mode == "late" and not set(value) <= set(WRITES):
            raise Refused("late is for PUT, POST and DELETE")
        return tuple(value)

    def _seconds(self, spec):
        value = spec.get("seconds", 0.1)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or \
                not 0 <= value <= SECONDS_MAX:
            raise Refused(f"seconds must be a number from 0 to {SECONDS_MAX}")
        return value

    @staticmethod
    def _headers(spec):
        value = spec.get("headers", {})
        if not isinstance(value, dict):
            raise Refused("headers must be an object of strings")
        for name, text in value.items():
            if not isinstance(text, str) or any(c in name + text for c in "\r\n\0") or not name:
                raise Refused(f"header {name!r} must have a one-line string")
        return value

    def _hex(self, spec):
        value = self._text(spec, "hex")
        if value is None:
            return None
        try:
            bytes.fromhex(value.replace("{id}", "00" * 12))
        except ValueError:
            raise Refused("hex must be hexadecimal; {id} stands for the transaction id") from None
        return value

    def matches(self, caller):
        return (self.family in (None, caller.family) and
                self.transport in (None, caller.transport) and
                (self.methods is None or caller.method in self.methods))

    def as_dict(self):
        return self.spec if self.left is None else {**self.spec, "times": self.left}


def check_methods(value):
    if not isinstance(value, list) or not all(m in METHODS for m in value):
        raise Refused(f"methods must be a list of: {', '.join(METHODS)}")


class Faults:
    """At most one fault for each endpoint."""

    def __init__(self, stun_names):
        self._kinds = dict.fromkeys(OPERATORS, "echo")
        self._kinds |= dict.fromkeys(stun_names, "stun")
        self._kinds["gandi"] = "gandi"
        self._faults = {}

    def names(self):
        return tuple(self._kinds)

    def _check_name(self, name):
        if name not in self._kinds:
            raise Refused(f"{name!r} is not an endpoint: {', '.join(self._kinds)}")

    def set(self, name, spec):
        self._check_name(name)
        self._faults[name] = Fault(self._kinds[name], spec)

    def heal(self, name=None):
        if name is None:
            self._faults.clear()
        else:
            self._check_name(name)
            self._faults.pop(name, None)

    def take(self, caller):
        """The fault this exchange meets, or None. A fault with `times` is used up here."""
        fault = self._faults.get(caller.name)
        if fault is None or not fault.matches(caller):
            return None
        if fault.left is not None:
            fault.left -= 1
            if fault.left == 0:
                del self._faults[caller.name]
        return fault

    def as_dict(self):
        return {name: fault.as_dict() for name, fault in self._faults.items()}


class RequestLog:
    """The last requests and how many there were. Headers are never kept, so no credential is."""

    def __init__(self, names):
        self._entries = collections.deque(maxlen=LOG_ENTRIES)
        self._names = tuple(names)
        self._counts = collections.Counter()

    def add(self, caller, counted, path=None, status=None, fault=None, **more):
        """One entry, counted under `counted` if given. What is None in `more` is left out."""
        if counted:
            self._counts[counted] += 1
        entry = {"time": round(time.time(), 6), "name": caller.name, "method": caller.method,
                 "path": path, "status": status, "fault": fault.mode if fault else None,
                 "family": caller.family, "transport": caller.transport,
                 "connection": caller.connection, "peer": caller.peer}
        entry |= {key: value for key, value in more.items() if value is not None}
        self._entries.append(entry)

    def clear(self):
        self._entries.clear()
        self._counts.clear()

    def entries(self):
        return list(self._entries)

    def counts(self):
        return {name: 0 for name in self._names} | dict(self._counts)


class World:
    """All of it together, as the servers and the control API share it."""

    def __init__(self, wan4, wan6, stun_names):
        self.wan = Wan(wan4, wan6)
        self.stun_names = tuple(stun_names)
        self.faults = Faults(self.stun_names)
        self.log = RequestLog([*OPERATORS, *(f"gandi.{m}" for m in ("GET", *WRITES)),
                               *(f"{s}.{t}" for s in self.stun_names for t in ("udp", "tcp"))])
        self._connections = 0

    def new_connection(self):
        """A number no other TCP connection of this run has."""
        self._connections += 1
        return self._connections
