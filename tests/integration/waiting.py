"""Waiting for a condition: the tests know no fixed sleeps."""

import time

LIMIT = 30      # seconds; generous, for a sanitized build on a busy machine
STEP = 0.02


def wait_for(condition, what, limit=LIMIT, evidence=None):
    """The first true value of condition(), or while that is not known yet, which may raise.

    `what` names what is awaited; evidence() is shown if it does not come.
    """
    end = time.monotonic() + limit
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (LookupError, OSError, TypeError) as error:
            last = error
        if time.monotonic() > end:
            break
        time.sleep(STEP)
    text = evidence() if evidence else ""
    raise AssertionError(f"not within {limit} s: {what} (last: {last!r})\n{text}")


def stays(condition, what, seconds, evidence=None):
    """Fails at once if condition() becomes false within the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            raise AssertionError(f"did not stay: {what}\n{evidence() if evidence else ''}")
        time.sleep(STEP)
