"""Runs audit.js in a tab."""

import pathlib

SOURCE = pathlib.Path(__file__).with_name("audit.js").read_text(encoding="utf-8")


def findings(tab, *checks):
    """What these checks find in the page as it is now, in the form "check: what"."""
    tab.evaluate(f"window.audit || {SOURCE}; null")
    return [f"{check}: {what}" for check in checks
            for what in tab.evaluate(f"audit.{check}()")]


def check(tab):
    """All that must hold for any page, at its size, in light and in dark colours."""
    found = findings(tab, "places", "structure", "words",
                     *(["targets"] if tab.width < 600 else []))
    was = tab.dark
    for dark in (False, True):
        tab.media(dark=dark)
        found += [f"{'dark' if dark else 'light'}, {what}" for what in findings(tab, "contrasts")]
    tab.media(dark=was)
    assert not found, f"{tab.width} wide:\n" + "\n".join(found)
