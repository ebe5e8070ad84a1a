#!/bin/sh
# check_install.sh BUILD_DIR: an installation with DESTDIR runs from there until a
# record of the sandbox is in sync, has sane modes, and is removed without a rest.
set -eu
[ $# -eq 1 ] || { echo "usage: check_install.sh BUILD_DIR" >&2; exit 64; }
build=$(cd "$1" && pwd)
tests=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d /tmp/esddns-install.XXXXXX)
run=$(mktemp -d /tmp/esdi.XXXXXX)
sandbox=
esddns=
clean_up() {
	[ -z "$esddns" ] || kill -KILL "$esddns" 2>/dev/null || true
	[ -z "$sandbox" ] || kill "$sandbox" 2>/dev/null || true
	rm -rf "$tree" "$run"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
fail() {
	echo "check_install: $*" >&2
	[ ! -f "$run/log" ] || cat "$run/log" >&2
	exit 1
}
# wait_for SECONDS WHAT COMMAND...: until the command succeeds
wait_for() {
	left=$(($1 * 10))
	what=$2
	shift 2
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "not in time: $what"
		sleep 0.1
	done
}

make -s -C "$build" install DESTDIR="$tree" >"$run/install" 2>&1 ||
	{ cat "$run/install" >&2; fail "make install failed"; }

# --- what is there, and its modes ----------------------------------------------
program=$(find "$tree" -type f -name esddns -perm -111)
libexec=$(dirname "$(find "$tree" -type f -name esddns-detector)")
[ -n "$program" ] || fail "esddns is not installed"
for name in esddns-detector esddns-updater esddns-webd; do
	[ -x "$libexec/$name" ] || fail "$name is not installed beside the others"
done
[ -n "$(find "$tree" -type f -name esddns.yaml)" ] || fail "the sample configuration is missing"
wrong=$(find "$tree" ! -type l \( -perm /7022 -o \( -type d ! -perm 755 \) \
	-o \( -type f ! -perm 755 ! -perm 644 \) \) ! -path "$tree" -exec ls -ld {} +)
[ -z "$wrong" ] || fail "wrong modes: $wrong"
wrong=$(find "$tree" -type f -perm -111 ! -name 'esddns*')
[ -z "$wrong" ] || fail "not a program of ours, but executable: $wrong"

# --- it runs from there -----------------------------------------------------------
/usr/bin/env python3 "$tests/sandbox/sandbox.py" --with-parent --quiet \
	--tls-dir "$run/tls" --state-file "$run/sandbox.json" &
sandbox=$!
wait_for 30 "the sandbox starts" test -s "$run/sandbox.json"
# value KEY...: of the sandbox's state file
value() {
	python3 -c 'import functools, json, sys
print(functools.reduce(lambda v, k: v[k], sys.argv[2:], json.load(open(sys.argv[1]))))' \
		"$run/sandbox.json" "$@"
}
port=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
cat >"$run/esddns.yaml" <<END
runtime_dir: $run/run
state_dir: $run/state
records:
  - {zone: example.com, name: home, type: A, ttl: 300}
provider: {url: "$(value gandi_url)", ca_file: "$(value ca_file)"}
detector:
  ca_file: "$(value ca_file)"
  sources:
    - {operator: alpha, url: "$(value sources alpha plain)"}
    - {operator: bravo, url: "$(value sources bravo trace)", format: trace}
    - {operator: stun1, url: "$(value sources stun1 udp)"}
webd: {listen: ["127.0.0.1:$port"], metrics: []}
END
ESDDNS_LIBEXECDIR="$libexec" GANDI_API_KEY=sandbox-token \
	"$program" -c "$run/esddns.yaml" >"$run/log" 2>&1 &
esddns=$!
in_sync() {
	kill -0 "$esddns" 2>/dev/null || fail "esddns ended"
	curl -sf -m 5 --noproxy '*' "http://127.0.0.1:$port/raw" 2>/dev/null |
		grep -q '"in_sync":true.*"198.20.0.7"'
}
wait_for 30 "the record is in sync" in_sync
kill -TERM "$esddns"
wait "$esddns" || fail "esddns ended with $?"
esddns=

# --- and nothing of it stays ---------------------------------------------------------
make -s -C "$build" uninstall DESTDIR="$tree" >"$run/install" 2>&1 ||
	{ cat "$run/install" >&2; fail "make uninstall failed"; }
rest=$(find "$tree" ! -type d)
[ -z "$rest" ] || fail "left behind by uninstall: $rest"
echo "check_install: well"
