#!/bin/sh
# The manual pages are sound mdoc and complete: esddns.yaml(5) has every key of the
# sample configuration, which has every key there is (check_config sees to that), and
# they have every option, metric and variable that the code has.
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

# what the programs take, the pages have: options from the tables of getopt_long
options() {
	sed -n 's/^\t{ "\([a-z-]*\)", \(no\|required\)_argument.*/\1/p' "$srcdir/$1"
}
# lacks PAGE FILE: the names in FILE, one a line, that the page does not have as a word
lacks() {
	while read -r name; do
		grep -qwF -e "$name" "$srcdir/man/$1" || echo "$name"
	done < "$2"
}
for program in supervisor/esddns.c:esddns.8 ctl/esddnsctl.c:esddnsctl.1; do
	options "${program%:*}" > "$tmp/options"
	[ "$(wc -l < "$tmp/options")" -ge 5 ] || fail "the options of ${program%:*} cannot be found"
	sed 's/^/-/' "$tmp/options" > "$tmp/names"
	found=$(lacks "${program#*:}" "$tmp/names")
	[ -z "$found" ] || fail "${program#*:} lacks the options:" "$found"
done

# every metric there is, and none that there is not
sh "$srcdir/tests/metric_names.sh" "$srcdir" > "$tmp/metrics"
[ "$(wc -l < "$tmp/metrics")" -ge 25 ] || fail "the metrics cannot be found: $(cat "$tmp/metrics")"
sed -n 's/^\.It Li \(esddns_[a-z_0-9]*\).*/\1/p' "$srcdir/man/esddns.8" | LC_ALL=C sort > "$tmp/told"
difference=$(LC_ALL=C comm -3 "$tmp/metrics" "$tmp/told")
[ -z "$difference" ] || fail "esddns(8) and common/metrics.c differ:" "$difference"

# every variable that a program reads, but those by which its processes know each other
cat "$srcdir"/supervisor/*.c "$srcdir"/ctl/*.c "$srcdir"/common/*.c |
	grep -oE '(getenv|config_env_get|name_variable|apply_text)\((load(->env)?, )?"[A-Z_]+"' |
	sed 's/.*"\(.*\)"/\1/' | LC_ALL=C sort -u > "$tmp/variables"
sed -n 's/.*\[CONFIG_VARIABLE_[A-Z]*\] = "\([A-Z_]*\)".*/\1/p' "$srcdir/supervisor/config_env.c" \
	>> "$tmp/variables"
[ "$(wc -l < "$tmp/variables")" -ge 20 ] || fail "the variables cannot be found"
while read -r name; do
	cat "$srcdir"/man/* | grep -qw -- "$name" || fail "no page has the variable $name"
done < "$tmp/variables"
