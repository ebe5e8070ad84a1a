# Completion of esddns(8) for bash.

_esddns() {
	local cur prev

	COMPREPLY=()
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	case $prev in
	-c | --config)
		compopt -o filenames 2> /dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W \
			'-c --config --check-config --once --probe --json --help --version' -- "$cur")
		;;
	esac
}

complete -F _esddns esddns
