#!/bin/sh
# systemd takes the unit as it is, with all that confines it, and the snippets
# for the account and the directories. BUILD_DIR holds the generated files.
set -eu

builddir=${builddir:-.}
srcdir=${srcdir:-.}
# of 100, by "systemd-analyze security"; an ordinary service has 90 and more
exposure_max=15

fail() {
	echo "check_unit_file: $*" >&2
	exit 1
}
for tool in systemd-analyze systemd-sysusers systemd-tmpfiles; do
	command -v $tool > /dev/null 2>&1 ||
		fail "$tool is missing; on Debian: apt-get install systemd"
done
[ -f "$builddir/etc/esddns.service" ] || fail "$builddir/etc/esddns.service was not generated"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

! grep -n '@[a-z]*@' "$builddir/etc/esddns.service" "$builddir/etc/esddns.tmpfiles" ||
	fail "a place holder was left"

# verify FILE: what systemd has to say about it
verify() {
	systemd-analyze verify --man=no "$1" 2>&1 | grep -F "$(basename "$1")" || :
}

# a unit that runs what was built here: the installed one is not there yet
mkdir "$tmp/bin"
program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$builddir/etc/esddns.service")
[ "${program##*/}" = esddns ] && [ "${program#/}" != "$program" ] || fail "ExecStart=$program"
printf '#!/bin/sh\n' > "$tmp/bin/esddns"
chmod 755 "$tmp/bin/esddns"
sed "s|^ExecStart=$program|ExecStart=$tmp/bin/esddns|" "$builddir/etc/esddns.service" \
	> "$tmp/esddns.service"

# the check must be able to fail
sed 's/^WatchdogSec=.*/WatchdogSec=often\nWatchDog=1/' "$tmp/esddns.service" > "$tmp/bad.service"
[ -n "$(verify "$tmp/bad.service")" ] || fail "systemd-analyze accepts a unit that is wrong"

found=$(verify "$tmp/esddns.service")
[ -z "$found" ] || fail "$found"
systemd-analyze security --offline=true --no-pager --threshold=$exposure_max \
	"$tmp/esddns.service" > "$tmp/security" 2>&1 ||
	fail "the unit is too open: $(tail -n 1 "$tmp/security")"

# what the program depends on
for line in Type=notify NotifyAccess=main KillMode=mixed User=esddns RuntimeDirectoryMode=0700 \
	StateDirectoryMode=0700 OOMPolicy=continue; do
	grep -qx "$line" "$tmp/esddns.service" || fail "the unit lacks $line"
done

# the account, in an empty root, and the directories, which are its own
mkdir -p "$tmp/root/etc" "$tmp/root/usr/lib/sysusers.d" "$tmp/root/usr/lib/tmpfiles.d"
cp "$srcdir/etc/esddns.sysusers" "$tmp/root/usr/lib/sysusers.d/esddns.conf"
cp "$builddir/etc/esddns.tmpfiles" "$tmp/root/usr/lib/tmpfiles.d/esddns.conf"
if [ "$(id -u)" -eq 0 ]; then
	systemd-sysusers --root="$tmp/root" > "$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
	grep -q '^esddns:' "$tmp/root/etc/passwd" || fail "sysusers made no account: $(cat "$tmp/out")"
	systemd-tmpfiles --root="$tmp/root" --create > "$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
	uid=$(sed -n 's/^esddns:[^:]*:\([0-9]*\):.*/\1/p' "$tmp/root/etc/passwd")
	for dir in run/esddns var/lib/esddns; do
		[ "$(stat -c '%a %u' "$tmp/root/$dir")" = "700 $uid" ] ||
			fail "/$dir: $(stat -c '%a %u' "$tmp/root/$dir"), not 700 $uid"
	done
fi
