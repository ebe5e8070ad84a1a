#!/bin/sh
# The simulation must be able to fail: each of these builds leaves out one rule
# that the cluster depends on, and has to be caught. All but P2's rule have to be
# caught without people who edit objects, too, since they are what keeps nodes
# from harming each other. (A greater epoch than one's own can only come about
# while a Lease is deleted or edited.)
set -eu

builddir=${builddir:-.}

# caught PROGRAM ARGUMENT...: it breaks an invariant, and says which seed shows it
caught() {
	program=$1
	shift
	status=0
	said=$("$builddir/tests/sim/$program" --nodes 3 "$@") || status=$?
	if [ "$status" -ne 1 ]; then
		echo "check_sim_sabotage: $program $* was not caught (status $status)" >&2
		exit 1
	fi
	echo "$program $*: $(echo "$said" | grep '^seed [0-9]')"
}

caught sim-p2 --seeds 1..500
for program in sim-p4-tests sim-p4-sequence sim-deadline sim-read; do
	caught $program --seeds 1..2000
	caught $program --seeds 1..40000 --no-hands
done
