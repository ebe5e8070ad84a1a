# offered.zsh DIRECTORY LINE: what zsh, with the completions of DIRECTORY, offers at the end
# of LINE, one a line. A zsh at a terminal of its own is asked by a tabulator, as a person
# asks; what its completions hand to compadd is written down.
emulate -L zsh
zmodload zsh/zpty
found=$(mktemp)
trap 'rm -f $found' EXIT
zpty shell zsh -f -i
zpty -w shell "PROMPT= ; exec 3>$found; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D"
# calls that only sort out what to offer (-O, -A, -D) are none that offer
zpty -w shell 'compadd () {
if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
typeset -a words; builtin compadd -A words "$@"; print -rl -- $words >&3
fi
builtin compadd "$@"
}'
zpty -w shell 'offer () { _main_complete; print -r -- /end >&3; compstate[insert]=; compstate[list]= }'
zpty -w shell 'zle -C offer complete-word offer; bindkey "^I" offer; print -r -- /rea"dy"'
zpty -r shell text '*/ready*'
zpty -w -n shell "$2"$'\t'
integer tries=0
until grep -qx /end $found; do
	(( ++tries > 600 )) && { print -u2 "zsh did not answer to: $2"; exit 1 }
	sleep 0.1
done
grep -vx -e /end -e '' $found
exit 0
