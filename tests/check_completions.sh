#!/bin/sh
# The shells read their completions, and bash's offer what the manual page has.
set -eu

srcdir=${srcdir:-.}
completions=$srcdir/etc/completions

fail() {
	echo "check_completions: $*" >&2
	exit 1
}
for shell in bash zsh; do
	command -v $shell > /dev/null 2>&1 ||
		fail "$shell is missing; on Debian: apt-get install $shell"
done
for file in esddns.bash esddnsctl.bash; do
	bash -n "$completions/$file" || fail "bash cannot read $file"
done
for file in _esddns _esddnsctl; do
	zsh -n "$completions/$file" || fail "zsh cannot read $file"
	[ "$(head -n 1 "$completions/$file")" = "#compdef ${file#_}" ] || fail "$file lacks #compdef"
done

# offered WORD...: what bash offers for the last word
offered() {
	bash -c '. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"_$1"
printf "%s " "${COMPREPLY[@]}"' offered "$completions/$1.bash" "$@"
}
# expect WANTED WORD...
expect() {
	wanted=$1
	shift
	found=$(offered "$@")
	[ "${found% }" = "$wanted" ] || fail "'$*' gives '$found', not '$wanted'"
}
expect "status sync start stop shutdown" esddnsctl s
expect "restart reset-failed reload" esddnsctl -s /run/x.sock re
expect "detector updater webd" esddnsctl stop ""
expect "updater" esddnsctl --json restart u
expect "-c --config --json" esddnsctl probe ""
expect "detector updater webd --json" esddnsctl status ""
expect "$srcdir/etc/esddns.yaml" esddnsctl probe -c "$srcdir/etc/esddns.y"
expect "--json" esddnsctl reload ""
expect "" esddnsctl reload x
expect "--config --check-config --once --probe --json --help --version" esddns --
expect "$srcdir/etc/esddns.yaml" esddns -c "$srcdir/etc/esddns.y"

# every command of the page is offered by both shells
commands=$(sed -n '/^The commands are/,/^\.El/s/^\.It Cm \([a-z-]*\).*/\1/p' "$srcdir/man/esddnsctl.1")
[ "$(echo "$commands" | wc -l)" -ge 10 ] || fail "the commands cannot be found in esddnsctl(1)"
for command in $commands; do
	case " $(offered esddnsctl "$command") " in
	*" $command "*) ;;
	*) fail "bash does not offer $command" ;;
	esac
	grep -q "'$command:" "$completions/_esddnsctl" || fail "zsh does not offer $command"
done
