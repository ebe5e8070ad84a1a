#!/bin/sh
# The shells read their completions, and offer what the manual page and the code have.
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

# zsh LINE...: what zsh offers at the end of the line
zsh_offered() {
	zsh -f "$srcdir/tests/offered.zsh" "$(cd "$completions" && pwd)" "$1" | tr '\n' ' '
}
expect_zsh() {
	found=$(zsh_offered "$2")
	[ "${found% }" = "$1" ] || fail "zsh: '$2' gives '$found', not '$1'"
}
expect_zsh "status start stop" "esddnsctl st"
expect_zsh "detector updater webd" "esddnsctl stop "
expect_zsh "detector updater webd" "esddnsctl status "
expect_zsh "updater" "esddnsctl --json restart u"

# all WHAT WANTED FOUND: both lists, of words, are the same but for their order
# shellcheck disable=SC2086
all() {
	wanted=$(printf '%s\n' $2 | LC_ALL=C sort)
	found=$(printf '%s\n' $3 | LC_ALL=C sort)
	[ "$wanted" = "$found" ] || fail "$1: offered is" $found "and not" $wanted
}
commands=$(sed -n '/^The commands are/,/^\.El/s/^\.It Cm \([a-z-]*\).*/\1/p' "$srcdir/man/esddnsctl.1")
[ "$(echo "$commands" | wc -l)" -ge 10 ] || fail "the commands cannot be found in esddnsctl(1)"
for command in $commands; do
	case " $(offered esddnsctl "$command") " in
	*" $command "*) ;;
	*) fail "bash does not offer $command" ;;
	esac
done
all "zsh: esddnsctl" "$commands" "$(zsh_offered 'esddnsctl ')"
for program in supervisor/esddns ctl/esddnsctl; do
	options=$(sed -n 's/^\t{ "\([a-z-]*\)", \(no\|required\)_argument.*/--\1/p' "$srcdir/$program.c")
	[ "$(echo "$options" | wc -l)" -ge 5 ] || fail "the options of $program.c cannot be found"
	name=${program#*/}
	all "bash: $name --" "$options" "$(offered "$name" --)"
	all "zsh: $name --" "$options" "$(zsh_offered "$name --")"
done
