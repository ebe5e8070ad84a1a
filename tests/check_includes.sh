#!/bin/sh
# Includes point one way: role -> cluster -> ipc -> common (ARCHITECTURE.md). A
# role never includes another, only ipc/bus.c includes nng, and the supervisor
# includes no network library. First the check proves that it finds breaches.
set -eu

srcdir=${srcdir:-.}
roles='supervisor detector updater webd ctl'

# breaches DIR: one line for each include under DIR that breaks a rule
breaches() {
	(cd "$1" && for folder in common ipc cluster $roles; do
		[ -d "$folder" ] && find "$folder" -name '*.[ch]' -print
	done) | LC_ALL=C sort | while IFS= read -r file; do
		awk -v file="$file" -v roles="$roles" '
		function breach(why) { printf "%s:%d: %s: %s\n", file, FNR, $0, why }
		BEGIN {
			level["common"] = 1; level["ipc"] = 2; level["cluster"] = 3
			n = split(roles, r, " ")
			for (i = 1; i <= n; i++) level[r[i]] = 4
			folder = file; sub(/\/.*/, "", folder)
		}
		/^[ \t]*#[ \t]*include[ \t]*["<]/ {
			name = $0
			sub(/^[ \t]*#[ \t]*include[ \t]*["<]/, "", name)
			sub(/[">].*/, "", name)
			quoted = $0 ~ /include[ \t]*"/
			to = name; sub(/\/.*/, "", to)
			if (name ~ /(^|\/)\.\.?\//)
				breach("an include names the folder, not a way to it")
			else if (quoted && name !~ /\// && name != "config.h")
				breach("an include names the folder")
			if (to in level && level[to] > level[folder])
				breach(folder " must not include " to)
			if (to in level && level[to] == 4 && level[folder] == 4 && to != folder)
				breach("a role must not include another")
			if (name ~ /^nng\// && file != "ipc/bus.c")
				breach("only ipc/bus.c includes nng")
			if (folder == "supervisor" &&
			    name ~ /^(curl\/|openssl\/|microhttpd|ares|common\/http\.h|common\/resolve\.h|ipc\/bus\.h)/)
				breach("the supervisor links no network library")
		}' "$1/$file"
	done
}

# expect COUNT FILE LINE: a tree that holds this one line has so many breaches
expect() {
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/$(dirname "$2")"
	printf '/* a file */\n%s\n' "$3" > "$tmp/tree/$2"
	found=$(breaches "$tmp/tree" | wc -l)
	if [ "$found" -ne "$1" ]; then
		echo "check_includes: the check itself is broken: $2 with '$3'" \
			"gives $found breaches instead of $1" >&2
		exit 1
	fi
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

expect 1 common/a.c '#include "ipc/bus.h"'
expect 1 common/a.h '#include "cluster/local.h"'
expect 1 common/a.c '#include "detector/rounds.h"'
expect 1 ipc/a.c '#include "cluster/local.h"'
expect 1 ipc/a.c '  #  include <webd/state.h>'
expect 1 cluster/a.c '#include "updater/plan.h"'
for role in $roles; do
	for other in $roles; do
		[ "$role" = "$other" ] && count=0 || count=1
		expect $count "$role/a.c" "#include \"$other/config.h\""
	done
	expect 1 "$role/a.c" '#include <nng/nng.h>'
	expect 0 "$role/a.c" '#include "common/log.h"'
done
expect 1 common/a.c '#include <nng/protocol/pubsub0/pub.h>'
expect 1 ipc/bus_more.c '#include <nng/nng.h>'
expect 0 ipc/bus.c '#include <nng/nng.h>'
for header in curl/curl.h openssl/ssl.h microhttpd.h ares.h; do
	expect 1 supervisor/a.c "#include <$header>"
	expect 0 detector/a.c "#include <$header>"
done
expect 1 supervisor/a.c '#include "common/http.h"'
expect 1 webd/a.c '#include "../updater/plan.h"'
expect 1 webd/a.c '#include "state.h"'
expect 0 webd/a.c '#include "config.h"'
expect 0 webd/sub/a.c '#include "cluster/follow.h"'
expect 0 ipc/a.c '#include "common/buf.h"'
expect 0 common/a.c '#include <stdio.h>'
expect 0 common/a.c '/* not an #include "webd/state.h" */'

# a check of nothing would pass: the folders must be there
if [ ! -f "$srcdir/common/mem.h" ] || [ ! -d "$srcdir/supervisor" ]; then
	echo "check_includes: $srcdir does not hold the sources (set srcdir)" >&2
	exit 1
fi
breaches "$srcdir" > "$tmp/found"
if [ -s "$tmp/found" ]; then
	cat "$tmp/found" >&2
	exit 1
fi
