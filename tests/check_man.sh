#!/bin/sh
# The manual pages are sound mdoc, and esddns.yaml(5) has every key of the sample
# configuration, which has every key there is (check_config sees to that).
set -eu

srcdir=${srcdir:-.}
MANDOC=${MANDOC:-mandoc}

fail() {
	echo "check_man: $*" >&2
	exit 1
}
command -v "$MANDOC" > /dev/null 2>&1 ||
	fail "mandoc is missing; on Debian: apt-get install mandoc"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# lint FILE: what mandoc complains about
lint() {
	"$MANDOC" -Tlint -Wwarning "$1" 2>&1 || :
}

# the check must be able to fail
printf '.Dd July 1, 2025\n.Dt X 1\n.Os\n.Sh NAME\n.Nm x\n.Nd y\n.Bl -tag\n' > "$tmp/bad.1"
[ -n "$(lint "$tmp/bad.1")" ] || fail "$MANDOC accepts a page that is not sound"

for page in esddns.8 esddnsctl.1 esddns.yaml.5; do
	[ -f "$srcdir/man/$page" ] || fail "man/$page is missing"
	found=$(lint "$srcdir/man/$page")
	[ -z "$found" ] || fail "$found"
	# examples fit a terminal too
	"$MANDOC" -Tascii "$srcdir/man/$page" | sed 's/.\x08//g' > "$tmp/$page"
	wide=$(awk 'length > 80' "$tmp/$page")
	[ -z "$wide" ] || fail "$page is wider than 80 columns: $wide"
done

# keys FILE: the words in front of a colon, in block and in flow style, without comments
keys() {
	sed -e 's/^ *# *- {/- {/' -e 's/#.*//' -e 's/"[^"]*"//g' "$1" |
		grep -oE '(^|[[:space:]{,])[A-Za-z_0-9]+:([[:space:]]|$)' |
		tr -d ' \t{,:' | LC_ALL=C sort -u
}
keys "$srcdir/etc/esddns.yaml" > "$tmp/keys"
[ "$(wc -l < "$tmp/keys")" -ge 70 ] || fail "the sample's keys cannot be found: $(cat "$tmp/keys")"
missing=
while read -r key; do
	# an item of a list, alone, at the end of its sections, or as a section of others
	grep -qE "^\.It Va ([a-z]+\.)*$key( :|\.|$)" "$srcdir/man/esddns.yaml.5" && continue
	# these two are told of in the text
	case $key in
	records | units) grep -qE "^\.Va $key( |\.|$)" "$srcdir/man/esddns.yaml.5" && continue ;;
	esac
	missing="$missing $key"
done < "$tmp/keys"
[ -z "$missing" ] || fail "esddns.yaml(5) lacks:$missing"

# what the help says, the page says too
for option in config check-config once probe json version help; do
	grep -q -- "-$option" "$srcdir/man/esddns.8" || fail "esddns(8) lacks --$option"
done
