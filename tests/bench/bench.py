#!/usr/bin/python3
"""What ESDDNS costs on this machine, and how fast it is, against what the design allows."""

import argparse
import json
import os
import pathlib
import platform
import shutil
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[1:1] = [str(TESTS / "integration"), str(TESTS / "sandbox")]

import change  # noqa: E402
import esddns  # noqa: E402
import figures  # noqa: E402
import idle  # noqa: E402
import memory  # noqa: E402
import rig  # noqa: E402
import serving  # noqa: E402
import start  # noqa: E402

SECTIONS = ("memory", "idle", "start", "change", "serving")


def parse_options(arguments):
    parser = argparse.ArgumentParser(
        prog="bench.py", description=__doc__,
        epilog="The programs are those of ESDDNS_BUILD (or of this directory); see README.md "
               "beside this file for what each figure means.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", default=None,
                        help=f"some of: {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a limit is not met")
    parser.add_argument("--quick", action="store_true",
                        help="shorter and fewer runs: to try the bench itself")
    parser.add_argument("--patience", type=float, default=20, metavar="SECONDS",
                        help="how long to wait for a quiet machine before each measurement "
                             "(default %(default)s)")
    options = parser.parse_args(arguments)
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    options.sections = options.sections or SECTIONS
    return options


def check_needs(sections):
    """Ends with a sentence if something is missing: nothing is left out silently."""
    for program in esddns.PROGRAMS:
        if not os.access(f"{esddns.BUILD}/{program}", os.X_OK):
            sys.exit(f"bench: {esddns.BUILD}/{program} is missing: build it first")
    if "serving" in sections:
        for program, package in serving.NEEDED.items():
            if not shutil.which(program):
                sys.exit(f"bench: {program} is missing: apt-get install {package}")


def run(options):
    """([(title, what was done, [Figure])], how busy the machine was before each measurement)"""
    quick = options.quick
    measures = {
        "memory": memory.measure,
        "idle": lambda bench: idle.measure(bench, 10 if quick else 60),
        "start": lambda bench: start.measure(bench, 2 if quick else 7),
        "change": lambda bench: change.measure(bench, 3 if quick else 20),
        "serving": lambda bench: serving.measure(bench, *((2, 1) if quick else (5, 3))),
    }
    with rig.Rig(options.patience) as bench:
        results = []
        for name in options.sections:
            print(f"bench: {name} ...", file=sys.stderr)
            results.append(measures[name](bench))
        return results, bench.loads


def conditions(loads):
    """The machine, in words."""
    busy = f"{max(loads):.0%} at most" if loads else "not measured"
    return (f"Linux {platform.release()} on {platform.machine()}, {os.cpu_count()} cores. Other load "
            f"before each\nmeasurement: {busy}.")


def main(arguments):
    options = parse_options(arguments)
    check_needs(options.sections)
    results, loads = run(options)
    every = [figure for _, _, found in results for figure in found]
    if options.json:
        print(json.dumps({"kernel": platform.release(), "cores": os.cpu_count(),
                          "load_before": [round(x, 3) for x in loads],
                          "sections": [{"title": title, "conditions": what, "figures":
                                        [f.as_json() for f in found]}
                                       for title, what, found in results]}, indent=1))
    else:
        print(figures.table(results))
        print(f"\n{conditions(loads)}")
    return 1 if options.strict and any(f.met is False for f in every) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
