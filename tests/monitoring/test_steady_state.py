"""Months in which nothing changes, and nothing fires."""

import rulefile
from world import World, promtool, write_test

DAYS = 120
STEP = 5        # minutes between two samples: a check each time


def test_nothing_fires_for_four_months_in_which_nothing_changes(pods, tmp_path):
    """What the original's "no recent update" did not live up to."""
    names = {name for _, text in rulefile.texts() for name, _ in rulefile.selectors(text)}
    minutes = DAYS * 24 * 60
    world = World(pods, names | {"esddns_last_dns_update_timestamp"}, minutes, STEP)
    file = write_test(
        tmp_path / "months.yaml", rulefile.write(tmp_path / "rules.yaml"), world, [
            # none fired, and none was about to
            (minutes, f"count by (alertname) (count_over_time(ALERTS[{minutes}m]))", {}),
            # it was time that passed, and the rules that looked at it
            (minutes, "min(time() - esddns_last_dns_update_timestamp > 0) > bool "
             f"{(minutes - 60) * 60}", {"{}": 1}),
            (minutes, f"count_over_time(esddns:dns_unchecked:intervals[{minutes}m]) > bool "
             f"{minutes // STEP - 5}",
             {'{domain="example.com",namespace="esddns",record_type="A"}': 1})], every=f"{STEP}m")
    code, said = promtool("test", "rules", file)
    assert code == 0, said
