# Completion of esddnsctl(1) for bash.

_esddnsctl() {
	local cur prev word command= i
	local commands='status ping probe detect sync start stop restart reset-failed reload shutdown'

	COMPREPLY=()
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	case $prev in
	-s | --socket | -c | --config)
		compopt -o filenames 2> /dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-s | --socket | -c | --config) ((i++)) ;;
		-*) ;;
		*)
			command=$word
			break
			;;
		esac
	done
	case $command in
	'') word="$commands -s --socket -c --config --json --help --version" ;;
	start | stop | restart | reset-failed) word='detector updater webd' ;;
	status) word='detector updater webd --json' ;;
	probe) word='-c --config --json' ;;
	*) word='--json' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
}

complete -F _esddnsctl esddnsctl
