#!/bin/sh
# metric_names.sh SRCDIR: the name of every metric in the catalogue of common/metrics.c, one a
# line, as /metrics has it (a counter's with _total).
set -eu
sed -n -e '/families\[METRIC__MAX\]/,/^};/{' -e 's/.*/& /' -e 'H' -e '}' \
	-e '${' -e 'x' -e 's/\n//g' -e 's/\(COUNTER\|GAUGE\|HISTOGRAM\)([[:space:]]*"/\n\1 /g' \
	-e 'p' -e '}' "$1/common/metrics.c" |
	sed -n -e 's/^COUNTER \([a-z_]*\)".*/esddns_\1_total/p' \
		-e 's/^[A-Z]* \([a-z_]*\)".*/esddns_\1/p' | LC_ALL=C sort -u
