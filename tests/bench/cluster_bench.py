#!/usr/bin/python3
"""What ESDDNS costs in a cluster, and how fast it is, against what the design allows."""

import argparse
import json
import os
import pathlib
import platform
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[1:1] = [str(TESTS / name) for name in ("cluster", "integration", "sandbox")]

import bench as single  # noqa: E402
import clusterrig  # noqa: E402
import controlplane  # noqa: E402
import esddns  # noqa: E402
import fanout  # noqa: E402
import figures  # noqa: E402
import provider  # noqa: E402
import standbys  # noqa: E402
import takeover  # noqa: E402

# name: (what it measures, and with --quick)
SECTIONS = {
    "takeover": (lambda b: takeover.measure(b, 10, 3), lambda b: takeover.measure(b, 2, 1)),
    "provider": (lambda b: provider.measure(b, (1, 10, 50)),
                 lambda b: provider.measure(b, (1, 3), 30)),
    "standbys": (lambda b: standbys.measure(b, (3, 30, 300), 60),
                 lambda b: standbys.measure(b, (3, 30), 15)),
    "fanout": (lambda b: fanout.measure(b, 1000, 20), lambda b: fanout.measure(b, 100, 3)),
}


def parse_options(arguments):
    parser = argparse.ArgumentParser(
        prog="cluster_bench.py", description=__doc__,
        epilog="The programs are those of ESDDNS_BUILD (or of this directory); see README.md "
               "beside this file for what each figure means.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", default=None,
                        help=f"some of: {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a limit is not met")
    parser.add_argument("--quick", action="store_true",
                        help="shorter and fewer runs: to try the bench itself")
    parser.add_argument("--patience", type=float, default=5, metavar="SECONDS",
                        help="how long to wait for a quiet machine before each measurement "
                             "(default %(default)s)")
    options = parser.parse_args(arguments)
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    options.sections = options.sections or list(SECTIONS)
    return options


def run(options):
    """([(title, what was done, [Figure])], how busy the machine was before each measurement)"""
    with clusterrig.Rig(options.patience) as bench:
        results = []
        for name in options.sections:
            print(f"bench: {name} ...", file=sys.stderr)
            results.append(SECTIONS[name][options.quick](bench))
        return results, bench.loads


def main(arguments):
    options = parse_options(arguments)
    single.check_needs(())
    try:
        results, loads = run(options)
    except controlplane.Missing as missing:
        sys.exit(f"bench: {missing}")
    every = [figure for _, _, found in results for figure in found]
    if options.json:
        print(json.dumps({"kernel": platform.release(), "cores": os.cpu_count(),
                          "load_before": [round(x, 3) for x in loads],
                          "sections": [{"title": title, "conditions": what, "figures":
                                        [f.as_json() for f in found]}
                                       for title, what, found in results]}, indent=1))
    else:
        print(figures.table(results))
        print(f"\n{single.conditions(loads)}")
    return 1 if options.strict and any(f.met is False for f in every) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
