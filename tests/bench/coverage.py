#!/usr/bin/python3
"""Line coverage of the decision machines, from what their tests left in a coverage build."""

import argparse
import json
import pathlib
import subprocess
import sys

LIMIT_PERCENT = 95


def _counters(machine):
    """The .gcda file of a source file: an object is named after the library that it is in."""
    source = pathlib.Path(machine)
    found = list(source.parent.glob(f"*-{source.stem}.gcda"))
    if len(found) != 1:
        sys.exit(f"coverage: {machine} has {len(found)} counter files here: configure with "
                 "--enable-coverage and run its tests first")
    return found[0]


def measure(machine):
    """(lines that can run, those of them that never did)"""
    text = subprocess.run(["gcov", "--json-format", "--stdout", str(_counters(machine))],
                          stdout=subprocess.PIPE, check=True).stdout
    runs = {}
    for file in json.loads(text)["files"]:
        if file["file"].endswith(machine):
            for line in file["lines"]:
                number = line["line_number"]
                runs[number] = max(runs.get(number, 0), line["count"])
    if not runs:
        sys.exit(f"coverage: gcov knows no line of {machine}")
    return len(runs), sorted(number for number, count in runs.items() if count == 0)


def main(arguments):
    parser = argparse.ArgumentParser(
        prog="coverage.py", description=__doc__,
        epilog="Run in a build directory configured with --enable-coverage, after the tests.")
    parser.add_argument("machines", nargs="+", metavar="FILE.c",
                        help="source file, as the build names it")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    results = {machine: measure(machine) for machine in options.machines}
    percent = {m: 100 * (1 - len(missed) / n) for m, (n, missed) in results.items()}
    if options.json:
        print(json.dumps({m: {"lines": n, "missed": missed, "percent": round(percent[m], 2)}
                          for m, (n, missed) in results.items()}, indent=1))
    else:
        print(f"{'':<28} {'lines':>6} {'covered':>8}  not covered (limit: {LIMIT_PERCENT} %)")
        for machine, (n, missed) in results.items():
            shown = ", ".join(str(x) for x in missed[:6]) + (", ..." if len(missed) > 6 else "")
            print(f"{machine:<28} {n:>6} {percent[machine]:>6.1f} %  {shown}".rstrip())
    return 0 if min(percent.values()) >= LIMIT_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
