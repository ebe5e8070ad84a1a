#!/bin/sh
# Runs the fuzz targets of a build with --enable-fuzzers, each for FUZZ_SECONDS,
# FUZZ_JOBS at a time, from the checked-in corpus; make fuzz calls it. What is
# found stands in ./fuzz/NAME/ of the build, and a failure says how to repeat it.
#
#   fuzz.sh PROGRAM...          run them all
#   fuzz.sh --one PROGRAM       run one (for the jobs)
set -eu

srcdir=${srcdir:-.}
seconds=${FUZZ_SECONDS:-60}
jobs=${FUZZ_JOBS:-2}
# no single input may take longer, sanitizers included
slowest_s=1
# the freed memory that is watched; more of it costs page faults and finds nothing more here
export ASAN_OPTIONS="quarantine_size_mb=8${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

# max_len NAME: the longest input, a little above what the parser takes
max_len() {
	case $1 in
	address | config_value) echo 600 ;;
	config_env) echo 2048 ;;
	message) echo 8200 ;;
	config | dnsini | views) echo 16384 ;;
	stun) echo 2100 ;;
	*) echo 4300 ;;
	esac
}

one() {
	program=$1
	name=$(basename "$program" | sed 's/^fuzz_//')
	corpus=$srcdir/tests/corpus/$name
	out=fuzz/$name
	log=$out/log
	rm -rf "$out"
	mkdir -p "$out/corpus"
	[ -d "$corpus" ] || { echo "fuzz_$name: there is no corpus $corpus" >&2; return 1; }
	set -- -max_total_time="$seconds" -max_len="$(max_len "$name")" -timeout=5 \
		-rss_limit_mb=1024 -report_slow_units=$slowest_s -artifact_prefix="$out/" \
		-print_final_stats=1 -verbosity=1
	[ ! -f "$srcdir/tests/corpus/$name.dict" ] || set -- "$@" -dict="$srcdir/tests/corpus/$name.dict"
	if ! "$program" "$@" "$out/corpus" "$corpus" >"$log" 2>&1; then
		grep -E 'does not hold|ERROR: |SUMMARY: |runtime error|Test unit written' "$log" >&2 ||
			tail -n 20 "$log" >&2
		for input in "$out"/crash-* "$out"/timeout-* "$out"/oom-* "$out"/leak-*; do
			[ ! -e "$input" ] || echo "fuzz_$name failed; to repeat it: $program $input" >&2
		done
		echo "fuzz_$name: all that it said is in $log" >&2
		return 1
	fi
	for input in "$out"/slow-unit-*; do
		[ -e "$input" ] || continue
		# a busy machine is no finding: only what is slow again is
		if "$program" -report_slow_units=$slowest_s -artifact_prefix="$out/again-" "$input" 2>&1 |
			grep -q 'Slowest unit'; then
			echo "fuzz_$name: an input takes more than $slowest_s s: $program $input" >&2
			return 1
		fi
	done
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	printf 'fuzz_%s: %s inputs in %s s\n' "$name" "${runs:-0}" "$seconds"
	# a target that runs nothing finds nothing
	[ "${runs:-0}" -gt 0 ]
}

if [ "${1:-}" = --one ]; then
	one "$2"
	exit
fi
[ $# -gt 0 ] || { echo "fuzz.sh: no program is named" >&2; exit 1; }
printf '%s\n' "$@" | srcdir="$srcdir" FUZZ_SECONDS="$seconds" xargs -n 1 -P "$jobs" sh "$0" --one
