"""From a round that agreed on a new address to the provider's PUT."""

import statistics

from datetime import datetime

from figures import Figure
from waiting import wait_for

LIMIT_MS = 500


def _wall(event):
    return datetime.fromisoformat(event.time).timestamp()


def _puts(box):
    return [e for e in box.log("gandi") if e["method"] == "PUT" and e["status"] < 300]


def measure(bench, changes):
    took = []
    with bench.system(confirm="200ms") as system:
        system.start()
        system.wait_in_sync()
        for i in range(changes):
            address = f"198.20.1.{i + 1}"
            bench.quiet()
            bench.box.clear_log()
            bench.change(system, address)
            agreed = system.wait_log("address changed", f"to={address}")[0]
            put = wait_for(lambda: _puts(bench.box), "a PUT")[0]
            assert address in put["body"], put
            took.append((put["time"] - _wall(agreed)) * 1000)
    return ("Agreed round to PUT", f"{changes} changes; the updater reads the record in between, "
            "over HTTPS",
            [Figure("median", statistics.median(took), "ms"),
             Figure("worst", max(took), "ms", LIMIT_MS)])
