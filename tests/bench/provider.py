"""Requests at the DNS provider for one change, however many nodes could write it."""

import time

from clusterrig import UPDATER_ONLY
from figures import Figure
from gate import Gate
from rig import WAN
from waiting import wait_for

PATIENCE = 120
BACKUPS_SECONDS = 65    # longer than a backup waits: 20 s, and up to 40 s at random
ALONE_SECONDS = 10      # nobody else could write
DOWN_SECONDS = 90
SAMPLE_SECONDS = 0.005
LIMIT_UP = 3            # GET, PUT, GET
LIMIT_AT_ONCE = 1
LIMIT_RECOVERY = 60


def _methods(box):
    return [e["method"] for e in box.log("gandi") if e["method"] in ("GET", "PUT")]


def _has(box, address):
    found = box.rrset("example.com", "@", "A")
    return found and found["rrset_values"] == [address]


def _all_follow(bench, leader, updaters):
    """The ConfigMap counts them all, as those who heard the leader's publisher."""
    def counted():
        leader.detect()
        time.sleep(0.5)
        return int((bench.plane.wan() or {}).get("followers", 0)) >= updaters - 1

    wait_for(counted, f"{updaters - 1} updaters follow", PATIENCE)


def _start(bench, make, updaters, **changes):
    """A complete instance that leads, and as many more updaters as make up the number."""
    leader = make(1, **changes)
    wait_for(lambda: _has(bench.box, WAN), "the first record", PATIENCE)
    leader.wait_in_sync(PATIENCE)
    for number in range(2, updaters + 1):
        make(number, **changes, **UPDATER_ONLY)
        time.sleep(0.3)     # the leader needs the machine, too
    _all_follow(bench, leader, updaters)
    return leader


def _healthy(bench, leader, updaters, address):
    """The requests for one change, all that come before every backup's turn has passed."""
    bench.quiet()
    bench.box.clear_log()
    bench.box.set_wan(address)
    leader.detect()
    wait_for(lambda: _has(bench.box, address), "the record is written", PATIENCE)
    time.sleep(BACKUPS_SECONDS if updaters > 1 else ALONE_SECONDS)
    return _methods(bench.box)


def _down(bench, gate, leader, seconds, address):
    """(most at once, connections made, seconds from its return to the right record)"""
    gate.shut()
    before, most = gate.made, 0
    bench.box.set_wan(address)
    leader.detect()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, gate.waiting())
        time.sleep(SAMPLE_SECONDS)
    made = gate.made - before
    back = time.monotonic()
    gate.open()
    wait_for(lambda: _has(bench.box, address), "the record is written after all", PATIENCE)
    return most, made, time.monotonic() - back


def _figures(bench, updaters, seconds):
    bench.clean()
    port = bench.box.state["ports"]["https"]
    gate = Gate(port)
    url = bench.box.state["gandi_url"].replace(f":{port}", f":{gate.port}")
    try:
        with bench.instances() as make:
            leader = _start(bench, make, updaters, provider={"url": url})
            methods = _healthy(bench, leader, updaters, "198.20.2.1")
            most, made, recovery = _down(bench, gate, leader, seconds, "198.20.2.2")
    finally:
        gate.close()
    return [Figure(f"{updaters} updaters, healthy", len(methods), "requests", LIMIT_UP,
                   note=f"{' '.join(methods)}; {bench.load}"),
            Figure(f"{updaters} updaters, down: at once", most, "requests", LIMIT_AT_ONCE),
            Figure(f"{updaters} updaters, down: in {seconds} s", made, "requests"),
            Figure(f"{updaters} updaters, back: right again", recovery, "s", LIMIT_RECOVERY)]


def measure(bench, sizes, seconds=DOWN_SECONDS):
    figures = [figure for n in sizes for figure in _figures(bench, n, seconds)]
    return ("Requests at the provider", "one change each, 1 run: one complete instance leads, the "
            "others are\nupdaters alone; down: connections are taken and never answered", figures)
