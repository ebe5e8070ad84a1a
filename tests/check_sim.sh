#!/bin/sh
# A cluster in virtual time, over as many seeds as a test may take (main.c says
# how many: fewer in a build with sanitizers), and a few with many nodes.
set -eu

builddir=${builddir:-.}

"$builddir/tests/sim/sim" --nodes 3
"$builddir/tests/sim/sim" --nodes 1 --seeds 1..100
"$builddir/tests/sim/sim" --nodes 50 --seeds 1..5
