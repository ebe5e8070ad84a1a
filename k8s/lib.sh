# shellcheck shell=sh disable=SC2034,SC2154 # its variables are those of deploy.sh
# What deploy.sh is made of, apart from what it deploys. To be sourced, with $program set; it only
# defines things.

namespace=esddns

# The exit codes of sysexits.h.
EX_USAGE=64
EX_DATAERR=65
EX_UNAVAILABLE=69
EX_CANTCREAT=73
EX_TEMPFAIL=75
EX_NOPERM=77
EX_CONFIG=78

# --- what is said ------------------------------------------------------------------

# step NAME TEXT: one line about what is, or was done.
step() {
	printf '%-10s %s\n' "$1" "$2"
}
# fail CODE TEXT: the last sentence.
fail() {
	printf '%s: %s\n' "$program" "$2" >&2
	exit "$1"
}
# last FILE: the last line of what a command complained about.
last() {
	grep . "$1" | tail -n 1 | sed 's/^error: //'
}

# --- the command line ----------------------------------------------------------------

environment=
context=
image=
components=
range=
manifest=
timeout=300
assume_yes=
dry_run=
delete=

parse_options() {
	while [ $# -gt 0 ]; do
		case "$1" in
		--image | --metallb | --manifest | --context | --timeout)
			[ -n "${2:-}" ] || fail $EX_USAGE "$1 needs a value; see --help"
			case "$1" in
			--image) image=$2 ;;
			--metallb) range=$2 ;;
			--manifest) manifest=$2 ;;
			--context) context=$2 ;;
			--timeout) timeout=$2 ;;
			esac
			shift
			;;
		--nodeport | --network-policy) components="$components ${1#--}" ;;
		--yes) assume_yes=yes ;;
		--dry-run) dry_run=yes ;;
		--delete) delete=yes ;;
		-*) fail $EX_USAGE "there is no option $1; see --help" ;;
		*)
			[ -z "$environment" ] || fail $EX_USAGE "\"$1\" is one argument too many; see --help"
			environment=$1
			;;
		esac
		shift
	done
	check_options
}
check_options() {
	case "$environment" in
	development | production) ;;
	"") fail $EX_USAGE "say which environment: $program development, or $program production" ;;
	*) fail $EX_USAGE "there is no environment \"$environment\"; there are development and production" ;;
	esac
	case "$timeout" in
	*[!0-9]* | 0* | ??????*) fail $EX_USAGE "--timeout takes seconds, from 1 to 99999; not \"$timeout\"" ;;
	esac
	if [ -n "$range" ]; then
		case "$components" in
		*nodeport*) fail $EX_USAGE "the Service is a NodePort or has an address of MetalLB's; choose one" ;;
		esac
		check_range
		check_source
		components="$components metallb"
	elif [ -n "$manifest" ]; then
		fail $EX_USAGE "--manifest is MetalLB's; it goes with --metallb"
	fi
	[ -z "$image" ] || is_image "$image" || fail $EX_USAGE \
		"--image takes a reference with a tag or a digest, such as registry.example.net/esddns:0.1.0; not \"$image\""
}
# matches TEXT PATTERN: the extended regular expression matches all of the text, which is one line.
matches() {
	case "$1" in *[[:cntrl:]]*) return 1 ;; esac
	printf '%s\n' "$1" | grep -Eq "^($2)\$"
}
is_image() {
	part='[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*'
	matches "$1" "([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?/)?$part(/$part)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})"
}

# --- a directory of its own ------------------------------------------------------------

terminal=
clean_up() {
	[ -z "$terminal" ] || stty "$terminal"
	[ -z "$tmp" ] || rm -rf "$tmp"
}
# make_tmp: the directory $tmp, which nobody else reads, and which goes when the script ends.
make_tmp() {
	tmp=
	trap clean_up EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	tmp=$(mktemp -d "${TMPDIR:-/tmp}/esddns.XXXXXX") ||
		fail $EX_CANTCREAT "no directory can be made in ${TMPDIR:-/tmp}"
	tmp=$(cd "$tmp" && pwd -P)
}

# --- the cluster -------------------------------------------------------------------------

# kubectl, in the chosen context; it never reads what the user types.
kube() {
	kubectl ${context:+--context="$context"} "$@" </dev/null
}
need_kubectl() {
	command -v kubectl >/dev/null || fail $EX_UNAVAILABLE \
		"there is no kubectl on the PATH; install it (https://kubernetes.io/docs/tasks/tools/)"
	client=$(kubectl version --client -o json 2>/dev/null </dev/null | tr ',{}' '\n') ||
		fail $EX_UNAVAILABLE "kubectl does not run: try kubectl version --client"
	kubectl_version=$(printf '%s\n' "$client" | sed -n 's/.*"gitVersion": *"\([^"]*\)".*/\1/p')
}
# reach_cluster: says which cluster it is; false where none answers, and "$tmp/error" says why.
reach_cluster() {
	name=${context:-$(kubectl config current-context 2>/dev/null </dev/null || true)}
	server=$(kube config view --minify -o 'jsonpath={.clusters[0].cluster.server}' 2>/dev/null || true)
	where="${name:+context $name, }${server:-no server is configured}"
	version=$(kube get --raw /version --request-timeout=15s 2>"$tmp/error") || return 1
	version=$(printf '%s\n' "$version" | sed -n 's/.*"gitVersion": *"\([^"]*\)".*/\1/p')
	step Cluster "$where, Kubernetes $version"
	case "$version" in
	v1.[0-9].* | v1.1[0-8].*)
		fail $EX_UNAVAILABLE "Kubernetes $version is too old; 1.19 or newer is needed" ;;
	esac
}
need_cluster() {
	reach_cluster || fail $EX_UNAVAILABLE \
		"no cluster answers ($where): $(last "$tmp/error"). Set KUBECONFIG, or choose with --context one of those that kubectl config get-contexts lists"
}
# need_rights VERB_AND_RESOURCE...: all of them, or it says which are missing.
need_rights() {
	if kube auth can-i '*' '*' --all-namespaces --quiet 2>/dev/null; then
		return
	fi
	missing=
	for right in "$@"; do
		# shellcheck disable=SC2086 # a verb and a resource
		kube auth can-i $right --namespace "$namespace" --quiet 2>/dev/null ||
			missing="$missing${missing:+, }$right"
	done
	[ -z "$missing" ] || fail $EX_NOPERM \
		"you may not: $missing. Ask who runs the cluster for these rights, or choose another user with --context"
}

# --- kubectl with words of our own ---------------------------------------------------

now() {
	date +%s
}
# compare FILE WHO: $differs, if applying the file would change anything, and "$tmp/diff" says what.
compare() {
	differs=
	status=0
	kube diff -f "$1" >"$tmp/diff" 2>"$tmp/error" || status=$?
	case $status in
	0) ;;
	1) differs=yes ;;
	*)
		cat "$tmp/error" >&2
		fail 1 "$2 does not take that; it says why above"
		;;
	esac
}
# wait_rollout NAMESPACE WORKLOAD: until it is ready, at most until $end; kubectl says how far it is.
wait_rollout() {
	left=$((end - $(now)))
	[ "$left" -gt 0 ] || left=1
	kube rollout status "$2" --namespace "$1" --timeout="${left}s"
}
show_pods() {
	printf '\nPods:\n'
	kube get pods --namespace "$1" -o wide
}
show_warnings() {
	printf '\nThe latest warnings:\n'
	kube get events --namespace "$1" --field-selector type=Warning \
		--sort-by=.metadata.creationTimestamp | tail -n 10
}

# --- the question --------------------------------------------------------------------------

# need_answerer: so that a machine learns at once that it has to say --yes.
need_answerer() {
	[ -n "$assume_yes" ] || [ -n "$dry_run" ] || [ -t 0 ] || fail $EX_USAGE \
		"there is no terminal to ask at; say --yes if that is what you want, or --dry-run to look first"
}
# ask QUESTION: goes on if the answer is yes.
ask() {
	[ -z "$assume_yes" ] || return 0
	printf '%s [y/N] ' "$1" >&2
	answer=
	read -r answer || true
	case "$answer" in
	y | Y | yes | Yes | YES) ;;
	*) fail 1 "nothing was changed" ;;
	esac
}
