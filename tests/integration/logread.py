"""Reads the log that the processes write, strictly: a line that is no event is a finding."""

import json
import re

FIELD = re.compile(r'([a-z0-9_]+)=("(?:[^"\\]|\\.)*"|[^\s"=\\]*)(?: |\Z)')
NEEDED = ("time", "level", "unit", "msg")
LEVELS = ("error", "warn", "info", "debug")
SANITIZERS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "LeakSanitizer has encountered",
              "runtime error:", "AddressSanitizer:")
# LeakSanitizer says so when a library's thread ends, or the process is killed, while it looks for
# leaks; what it finds is told by the marks above.
REMARKS = ("was not suspended. False leaks are possible.", "Unable to get registers from thread")


class Event(dict):
    """One line: its fields. `text` is the line itself."""

    def __init__(self, fields, text):
        super().__init__(fields)
        self.text = text

    def __getattr__(self, name):
        return self[name]


def parse_logfmt(line):
    fields, at = {}, 0
    while at < len(line):
        match = FIELD.match(line, at)
        if not match or match[1] in fields:
            return None
        fields[match[1]] = json.loads(match[2]) if match[2].startswith('"') else match[2]
        at = match.end()
    return fields


def parse_line(line):
    """The event in a line, or None if it is none."""
    try:
        fields = json.loads(line) if line.startswith("{") else parse_logfmt(line)
    except ValueError:
        return None
    if not isinstance(fields, dict) or any(name not in fields for name in NEEDED) or \
            fields["level"] not in LEVELS:
        return None
    return Event(fields, line)


def parse(text):
    """(events, lines that are none); an unfinished last line is left for later."""
    events, strays = [], []
    for line in text[:text.rfind("\n") + 1].splitlines():
        event = parse_line(line)
        if event:
            events.append(event)
        else:
            strays.append(line)
    return events, strays
