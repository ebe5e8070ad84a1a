"""Runs audit.js in a tab."""

import pathlib

SOURCE = pathlib.Path(__file__).with_name("audit.js").read_text(encoding="utf-8")
EVERYWHERE = ("contrasts", "places", "structure", "words")


def findings(tab, *checks):
    """What these checks find in the page as it is now, in the form "check: what"."""
    tab.evaluate(f"window.audit || {SOURCE}; null")
    return [f"{check}: {what}" for check in checks
            for what in tab.evaluate(f"audit.{check}()")]


def check(tab):
    """All that must hold for any page, at any size and in any colours."""
    found = findings(tab, *EVERYWHERE, *(["targets"] if tab.width < 600 else []))
    assert not found, f"{tab.width} wide, {'dark' if tab.dark else 'light'}:\n" + "\n".join(found)
