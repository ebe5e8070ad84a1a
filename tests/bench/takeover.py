"""How long the cluster is without an active leader, with the default lease."""

import signal
import statistics
import time

from datetime import datetime

from figures import Figure
from waiting import wait_for

LEASE_SECONDS = 15
LIMIT_CRASH = LEASE_SECONDS + 2
LIMIT_ORDERLY = 1
PATIENCE = 60
LEADS = "this pod leads now"


def _wall(event):
    return datetime.fromisoformat(event.time).timestamp()


def _led_since(instance, started):
    """When it began to work as the leader, after that moment; or None."""
    times = [_wall(e) for e in instance.log_lines(LEADS)]
    return next((t for t in times if t >= started - 0.001), None)


def _take_over(instances, leader, end):
    """Ends the leader; who leads then, and how long that took."""
    others = [i for i in instances if i is not leader]
    # as in production: the others know the leader, and hear its publisher
    wait_for(lambda: all(i.state()["cluster"]["connected"] and i.holder() == leader.node
                         for i in others), "the others hear the leader", PATIENCE)
    for one in others:
        one.wait_in_sync(PATIENCE)
    started = time.time()
    end(leader)
    found = wait_for(lambda: [(i, t) for i in others if (t := _led_since(i, started))],
                     "another leads", PATIENCE)
    assert len(found) == 1, found
    new, at = found[0]
    return new, at - started


def _orderly(leader):
    leader.send(signal.SIGTERM)


def _runs(bench, instances, leader, count, end):
    took = []
    for _ in range(count):
        bench.quiet()
        new, seconds = _take_over(instances, leader, end)
        took.append(seconds)
        leader.wait()
        leader.start()      # it comes back as a standby
        wait_for(lambda one=leader: one.role() == "standby", "it stands by", PATIENCE)
        leader = new
    return leader, took


def _role(instance):
    try:
        return instance.role()
    except (OSError, TypeError, KeyError, ValueError):
        return None


def measure(bench, terms, kills):
    bench.clean()
    with bench.instances() as make:
        leader = make(1)
        wait_for(lambda: _role(leader) == "leader", "the first leads", PATIENCE)
        instances = [leader, make(2), make(3)]
        leader, orderly = _runs(bench, instances, leader, terms, _orderly)
        orderly_load = max(bench.loads[-terms:])
        _, crash = _runs(bench, instances, leader, kills, lambda one: one.kill_all())
    return ("Take-over", "3 instances, lease 15 s, 10 s, 2 s; from the signal to the other's line\n"
            '"this pod leads now", which is when it is active',
            [Figure(f"SIGTERM, median of {terms}", statistics.median(orderly), "s"),
             Figure(f"SIGTERM, worst of {terms}", max(orderly), "s", LIMIT_ORDERLY,
                    note=f"other load before: {orderly_load:.0%} at most"),
             Figure(f"kill -9, median of {kills}", statistics.median(crash), "s"),
             Figure(f"kill -9, worst of {kills}", max(crash), "s", LIMIT_CRASH,
                    note=f"other load before: {max(bench.loads[-kills:]):.0%} at most")])
