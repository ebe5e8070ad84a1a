"""Months in which nothing changes, and nothing fires."""

import rulefile
from world import World, promtool, write_test

DAYS = 120
STEP = 5            # minutes between two samples: a check each time
RECORD = '{domain="example.com",namespace="esddns",record_type="A"}'
EVERY = 59          # minutes between two evaluations: at every phase of the checks


def test_nothing_fires_for_four_months_in_which_nothing_changes(pods, tmp_path):
    """What an alert on the last change would not live up to. Nothing is about to fire, either."""
    names = {name for _, text in rulefile.texts() for name, _ in rulefile.selectors(text)}
    minutes = DAYS * 24 * 60 // EVERY * EVERY   # promtool knows no samples of after the last one
    world = World(pods, names | {"esddns_last_dns_update_timestamp"}, minutes, STEP)
    checks = [
        (minutes, f"count by (alertname) (count_over_time(ALERTS[{minutes}m]))", {}),
        # the rules were evaluated all the time, and time passed
        (minutes, f"count_over_time(esddns:dns_unchecked:intervals[{minutes}m]) > bool "
         f"{minutes // EVERY - 3}", {RECORD: 1}),
        (minutes, "time() - max(esddns_last_dns_update_timestamp) > bool "
         f"{(minutes - 60) * 60}", {"{}": 1})]
    file = write_test(tmp_path / "months.yaml", rulefile.write(tmp_path / "rules.yaml"), world,
                      checks, every=f"{EVERY}m")
    code, said = promtool("test", "rules", file)
    assert code == 0, said
