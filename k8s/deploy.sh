#!/bin/sh
# Deploys ESDDNS to a Kubernetes cluster, and takes it away again. See --help.
set -eu
program=$(basename "$0")
here=$(cd "$(dirname "$0")" && pwd -P)
. "$here/lib.sh"
. "$here/metallb.sh"

usage() {
	cat <<'END'
usage: deploy.sh development|production [OPTION...]

Writes the overlay's manifests to esddns-development.yaml or esddns-production.yaml in the
working directory, shows what they change in the cluster, asks, creates the Secrets that are
missing, applies, and waits until everything is ready. It can be repeated at any time.

  --image REF        the image, with a tag or a digest, instead of the overlay's
  --nodeport         a Service of type NodePort instead of LoadBalancer
  --network-policy   with NetworkPolicies
  --metallb RANGE    with MetalLB as load balancer, installed where it is missing, for the
                     addresses of RANGE: 192.168.1.100-192.168.1.110 or 192.168.1.96/28
  --manifest FILE    MetalLB's manifest, for machines without the internet
  --context NAME     kubectl's context, instead of the current one
  --timeout SECONDS  how long to wait for pods, or for the end of what is deleted (300)
  --yes              ask nothing: for machines
  --dry-run          write the file, check it with the cluster if there is one, change nothing
  --delete           delete it all, the Secrets too
  --help

Environment:
  TARGET_DOMAIN_FQDN  the zone, as Gandi knows it
  RECORD_NAME_ROOT    the record's name in it; @ is the zone itself
  RECORD_TTL          its TTL in seconds
                      (these three override what the overlay's kustomization.yaml says)
  GANDI_API_KEY       Gandi's token, for a Secret that is not there yet; without it, and on a
                      terminal, it is asked for
  METALLB_VERSION     the MetalLB to install (v0.14.9)
  KUBECONFIG          as for kubectl

Exit status: 0; 1 the answer was no, or the cluster refused something; 64 command line; 65 an
overlay that does not build; 69 no tool or no cluster; 73 the file cannot be written; 75 not
ready in time; 77 missing rights; 78 environment or configuration.
END
}

daemonset=daemonset/esddns-operator-daemon
deployment=deployment/esddns-service
service=service/esddns-service
gandi_secret=esddns-gandi-credentials
peer_secret=esddns-peer-key

# --- what is to be deployed ----------------------------------------------------------

labels='[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*'

lower() {
	printf '%s' "$1" | tr '[:upper:]' '[:lower:]'
}
# check_domain WHERE ZONE: esddns(8) itself knows more refusals; these are for what people mistype.
check_domain() {
	zone=$(lower "$2")
	case "$zone" in
	example.com | *.example.com) fail $EX_CONFIG \
		"the zone is still the placeholder $2; set TARGET_DOMAIN_FQDN to the domain that Gandi serves for you, or target-domain in $here/overlays/$environment/kustomization.yaml" ;;
	*_* | *.) zone= ;;
	esac
	if ! matches "$zone" "$labels" || ! matches "$zone" '.{0,240}\.([^.]*[^.0-9][^.]*)'; then
		fail $EX_CONFIG "$1: \"$2\" is no domain; write it like example.org"
	fi
}
check_name() {
	name=$(lower "$2")
	if ! matches "$name" "@|\\*|(\\*\\.)?$labels"; then
		fail $EX_CONFIG "$1: \"$2\" is no name of a record; write @ for the zone itself, or a name without the zone, like home"
	fi
	case ".$name" in
	*".$(lower "$3")") fail $EX_CONFIG "$1: \"$2\" holds the zone $3; write only what is in front of it, or @" ;;
	esac
}
check_ttl() {
	if ! matches "$2" '[1-9][0-9]{2,6}' || [ "$2" -lt 300 ] || [ "$2" -gt 2592000 ]; then
		fail $EX_CONFIG "$1: \"$2\" is no TTL that Gandi takes; write seconds, from 300 to 2592000"
	fi
}
check_environment() {
	[ -z "${TARGET_DOMAIN_FQDN:-}" ] || check_domain TARGET_DOMAIN_FQDN "$TARGET_DOMAIN_FQDN"
	[ -z "${RECORD_NAME_ROOT:-}" ] || check_name RECORD_NAME_ROOT "$RECORD_NAME_ROOT" /
	[ -z "${RECORD_TTL:-}" ] || check_ttl RECORD_TTL "$RECORD_TTL"
	[ -z "$api_key" ] || check_key
}
# setting KEY: of esddns-config, in the generated file
setting() {
	sed -n "s/^  $1: *//p" "$tmp/all.yaml" | tr -d "\"'"
}
# check_settings: what the overlay and the environment came to.
check_settings() {
	zone=$(setting target-domain)
	name=$(setting record-name)
	ttl=$(setting record-ttl)
	if [ -z "$zone" ]; then
		step Records "those of esddns.yaml in esddns-config"
	else
		check_domain target-domain "$zone"
		check_name record-name "$name" "$zone"
		check_ttl record-ttl "$ttl"
		case "$name" in @) fqdn=$zone ;; *) fqdn=$name.$zone ;; esac
		step Record "$fqdn, TTL $ttl s, zone $zone"
	fi
	step Image "$(sed -n 's/^ *image: *//p' "$tmp/all.yaml" | sort -u | tr '\n' ' ')"
}

# --- the file --------------------------------------------------------------------------

need_kustomize() {
	inside=$(printf '%s\n' "$client" | sed -n 's/.*"kustomizeVersion": *"\([^"]*\)".*/\1/p')
	alone=$(kustomize version 2>/dev/null </dev/null | sed -n 's/[^v]*\(v[0-9][0-9.]*\).*/\1/p') || true
	case "$inside $alone" in
	v[5-9]*\ *) build="kubectl kustomize" ;;
	*\ v[5-9]*) build="kustomize build" ;;
	*) fail $EX_UNAVAILABLE \
		"kustomize 5 is needed: install kubectl 1.27 or newer, which has it inside (this one is $kubectl_version), or kustomize itself" ;;
	esac
	command -v diff >/dev/null ||
		fail $EX_UNAVAILABLE "there is no diff on the PATH, which kubectl diff needs; install diffutils"
	case "$build" in
	kustomize*) step Tools "kubectl $kubectl_version, kustomize $alone" ;;
	*) step Tools "kubectl $kubectl_version with kustomize $inside" ;;
	esac
}
# set_data KEY VALUE: a patch of esddns-config, if there is a value. It was checked, so it holds
# nothing that JSON would quote.
set_data() {
	[ -z "$2" ] || printf '  - target: {kind: ConfigMap, name: esddns-config}\n    patch: %s\n' \
		"'[{\"op\": \"add\", \"path\": \"/data/$1\", \"value\": \"$2\"}]'"
}
# kustomization K8S: the overlay, with what the options and the environment say. K8S is a relative
# path, since kustomize takes no other. The overlay has copied the configuration into the pods'
# annotations, so that a change of it replaces them: once more, after the patches.
kustomization() {
	printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n'
	printf 'resources: ["%s/overlays/%s"]\ncomponents:\n' "$1" "$environment"
	for component in $components; do
		printf '  - "%s/components/%s"\n' "$1" "$component"
	done
	printf 'patches:\n'
	set_data target-domain "${TARGET_DOMAIN_FQDN:-}"
	set_data record-name "${RECORD_NAME_ROOT:-}"
	set_data record-ttl "${RECORD_TTL:-}"
	[ -z "$image" ] || printf '  - target: {kind: DaemonSet|Deployment}\n    patch: %s\n' \
		"'[{\"op\": \"replace\", \"path\": \"/spec/template/spec/containers/0/image\", \"value\": \"$image\"}]'"
	printf 'transformers: ["%s/rollout"]\n' "$1"
}
build_file() {
	mkdir "$tmp/build"
	kustomization "$(printf '%s' "$tmp/build" | sed 's|/[^/]*|../|g; s|/$||')$here" >"$tmp/build/kustomization.yaml"
	{
		echo "# Written by k8s/deploy.sh $environment. kubectl delete -f of this file takes it all away, and"
		echo "# with the namespace its Secrets, which are not in here."
		$build "$tmp/build" 2>"$tmp/error" </dev/null
	} >"$tmp/all.yaml" || {
		cat "$tmp/error" >&2
		fail $EX_DATAERR "overlays/$environment does not build; what is wrong with it is said above"
	}
}
write_file() {
	file=esddns-$environment.yaml
	[ ! -d "$file" ] || fail $EX_CANTCREAT "$PWD/$file is a directory; move it away"
	# written beside it and renamed: never half of it, and never into what a link points to
	if ! { cp "$tmp/all.yaml" "$file.new" && chmod 644 "$file.new" && mv -f "$file.new" "$file"; } 2>"$tmp/error"; then
		fail $EX_CANTCREAT "$file cannot be written in $PWD: $(last "$tmp/error")"
	fi
	step File "$PWD/$file"
}

# --- the Secrets --------------------------------------------------------------------------

check_key() {
	case "$api_key" in
	*[![:graph:]]*) fail $EX_CONFIG "GANDI_API_KEY holds a space or a control character, which no token of Gandi's does" ;;
	esac
}
# has_secret NAME. As a table, so that the server sends its name and not its contents.
has_secret() {
	found=$(kube get secret "$1" --namespace "$namespace" --ignore-not-found --no-headers) ||
		fail 1 "whether there is a Secret $1 cannot be seen; kubectl says why above"
	[ -n "$found" ]
}
# ask_key: Gandi's token, typed without an echo. clean_up() restores the terminal, whatever comes.
ask_key() {
	if [ -n "$assume_yes" ] || [ ! -t 0 ]; then
		fail $EX_CONFIG "there is no Secret $gandi_secret yet; set GANDI_API_KEY to Gandi's token, or create the Secret as k8s/secrets.example.yaml shows"
	fi
	printf 'The token for Gandi (a personal access token; it is not shown): ' >&2
	terminal=$(stty -g)
	stty -echo
	read -r api_key || true
	stty "$terminal"
	terminal=
	echo >&2
	[ -n "$api_key" ] || fail $EX_CONFIG "nothing was typed, and nothing was changed"
	check_key
}
# plan_secrets: which are missing; what is there stays as it is.
plan_secrets() {
	missing_secrets=
	for secret in $gandi_secret $peer_secret; do
		if [ -n "$namespace_is_there" ] && has_secret "$secret"; then
			step Secret "$secret is there, and stays as it is"
		else
			missing_secrets="$missing_secrets $secret"
			step Secret "$secret is missing, and will be created"
		fi
	done
	case "$missing_secrets" in
	*$gandi_secret*) [ -n "$api_key" ] || [ -n "$dry_run" ] || ask_key ;;
	esac
}
# create_secret NAME KEY: its value from standard input, so that no command line holds it. "create"
# fails where another one came in between, and never overwrites it.
create_secret() {
	kubectl ${context:+--context="$context"} create secret generic "$1" --namespace "$namespace" \
		--from-file="$2=/dev/stdin" >/dev/null || fail 1 "the Secret $1 cannot be created; kubectl says why above"
	step Secret "$1 is created"
}
create_secrets() {
	for secret in $missing_secrets; do
		case "$secret" in
		"$gandi_secret") printf '%s' "$api_key" | create_secret "$secret" api-key ;;
		# as hexadecimal digits, since blanks at the end of a key's file do not count
		"$peer_secret") od -An -N32 -tx1 /dev/urandom | tr -d ' \n' | create_secret "$secret" key ;;
		esac
	done
}

# --- what changes ---------------------------------------------------------------------------

# find_namespace: is it there, and not about to go?
find_namespace() {
	namespace_is_there=$(kube get namespace "$namespace" --ignore-not-found -o 'jsonpath={.status.phase}') ||
		fail 1 "whether there is a namespace $namespace cannot be seen; kubectl says why above"
	[ "$namespace_is_there" != Terminating ] || fail $EX_TEMPFAIL \
		"the namespace $namespace is still being deleted; repeat this when kubectl get namespace $namespace finds nothing"
}
# list_objects: kind and name of each in the file
list_objects() {
	awk '/^kind: / { kind = $2 } /^metadata:/ { inside = 1; next } /^[^ ]/ { inside = 0 }
		inside && /^  name: / { print "           " kind "/" $2 }' "$tmp/all.yaml"
}
# show_changes: what applying would change; $changes says whether there is anything.
show_changes() {
	changes=yes
	if [ -z "$namespace_is_there" ]; then
		step Changes "all of this is new:"
		list_objects
		return
	fi
	compare "$tmp/all.yaml" "the cluster"
	if [ -n "$differs" ]; then
		step Changes "from what is in the cluster (-) to what is in the file (+):"
		cat "$tmp/diff"
	else
		step Changes "nothing differs from what is in the cluster"
		[ -n "$missing_secrets" ] || changes=
	fi
}
# warn_of_policy: apply deletes nothing, so a NetworkPolicy outlives the option that made it.
warn_of_policy() {
	case "$components" in *network-policy*) return 0 ;; esac
	policy=$(kube get networkpolicy esddns-service --namespace "$namespace" --ignore-not-found -o name) ||
		fail 1 "whether there is a NetworkPolicy cannot be seen; kubectl says why above"
	[ -z "$policy" ] || step Note \
		"a NetworkPolicy stays from before: kubectl delete -n $namespace networkpolicy esddns-service"
}
# check_with_cluster: all that the cluster can say without changing anything. Before the namespace
# exists it refuses everything in it, so then only the fields are compared with its schema.
check_with_cluster() {
	how=server
	[ -n "$namespace_is_there" ] || how=client
	kube apply --dry-run=$how --validate=true -f "$tmp/all.yaml" >/dev/null ||
		fail 1 "the cluster would not take $file; it says why above"
	step "Dry run" "the cluster takes it (checked by the $how); nothing was changed"
}

# --- applying ----------------------------------------------------------------------------------

apply() {
	# the namespace first, for the Secrets, so that the first pods find them
	awk '/^---$/ { if (wanted) exit; text = ""; next } { text = text $0 "\n" }
		/^kind: Namespace$/ { wanted = 1 } END { if (wanted) printf "%s", text }' \
		"$tmp/all.yaml" >"$tmp/namespace.yaml"
	kube apply -f "$tmp/namespace.yaml" >/dev/null ||
		fail 1 "the namespace $namespace cannot be made; kubectl says why above"
	create_secrets
	kube apply -f "$tmp/all.yaml" >"$tmp/applied" || {
		cat "$tmp/applied"
		fail 1 "not all was applied; kubectl says why above. What was applied stays; repeating this is safe"
	}
	sed 's/^/           /' "$tmp/applied"
}
wait_ready() {
	end=$(($(now) + timeout))
	step Waiting "for the pods, at most $timeout s"
	for workload in $daemonset $deployment; do
		wait_rollout "$namespace" "$workload" || give_advice "$workload"
		step Ready "$workload"
	done
}

# --- when it does not become ready -----------------------------------------------------------

# unready: of each pod that is not ready: its name, phase, the reason it waits for, and the last end
unready() {
	kube get pods --namespace "$namespace" -o 'jsonpath={range .items[*]}{.metadata.name}{" "}{.status.phase}{" "}{.status.containerStatuses[0].ready}{" reason="}{.status.containerStatuses[0].state.waiting.reason}{" ended="}{.status.containerStatuses[0].lastState.terminated.exitCode}{"\n"}{end}' |
		grep -v ' Running true ' || true
}
# cure: what to do about them, as one clause
cure() {
	pod=${1%% *}
	case "$1" in
	"") echo "no pod exists; the warnings above say what keeps the controllers from making them" ;;
	*ImagePull* | *ErrImage* | *InvalidImageName*)
		echo "a node cannot get the image; push it to a registry that the nodes reach and name it with --image, or load it into every node" ;;
	*CreateContainerConfigError* | *CreateContainerError* | *RunContainerError*)
		echo "a container cannot be created; the warnings above say what it lacks" ;;
	*CrashLoopBackOff* | *ended=[1-9]*)
		echo "a pod ends by itself; its last lines above say why, and kubectl logs --namespace $namespace $pod --previous has more" ;;
	*\ Pending\ *)
		echo "a pod gets no node, or its node does not start it; the warnings above say why: resources, taints, or a node that is away" ;;
	*)
		echo "a pod runs but is not ready; its last lines above say why, and kubectl exec --namespace $namespace $pod -- esddnsctl status says more" ;;
	esac
}
give_advice() {
	{
		show_pods "$namespace"
		pods=$(unready)
		printf '%s\n' "$pods" | head -n 3 | while read -r pod rest; do
			[ -n "$pod" ] || continue
			printf '\nThe last lines of %s:\n' "$pod"
			kube logs --namespace "$namespace" "$pod" --tail=10 || true
		done
		show_warnings "$namespace"
		echo
	} >&2 || true
	fail $EX_TEMPFAIL "$1 is not ready after $timeout s: $(cure "$pods"). Repeating this is safe"
}

# --- the address ----------------------------------------------------------------------------------

# of_service JSONPATH
of_service() {
	kube get "$service" --namespace "$namespace" -o "jsonpath=$1"
}
balancer() {
	of_service '{.status.loadBalancer.ingress[0].ip}{.status.loadBalancer.ingress[0].hostname}'
}
# wait_balancer: MetalLB answers within seconds; a cloud takes minutes, for which nobody waits here.
wait_balancer() {
	left=20
	address=$(balancer)
	while [ -z "$address" ] && [ "$left" -gt 0 ]; do
		[ -n "$range" ] || return 0
		left=$((left - 1))
		sleep 1
		address=$(balancer)
	done
}
show_address() {
	if [ "$(of_service '{.spec.type}')" = NodePort ]; then
		port=$(of_service '{.spec.ports[0].nodePort}')
		address=$(kube get nodes -o 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}' 2>/dev/null || true)
		address=${address%% *}
		step Page "http://${address:-NODE}:$port/ (at every node's address)"
	else
		wait_balancer
		case "$address" in
		"")
			step Page "the load balancer has no address yet; it will stand here:"
			step "" "kubectl get svc -n $namespace esddns-service --watch"
			step "" "If none comes, the cluster has no load balancer: see --nodeport, and deploy-metallb.sh."
			;;
		*:*) step Page "http://[$address]/" ;;
		*) step Page "http://$address/" ;;
		esac
	fi
	step "" "From here: kubectl port-forward -n $namespace svc/esddns-service 8088:80, then http://localhost:8088/"
	step State "kubectl exec -n $namespace $daemonset -- esddnsctl status"
}

# --- deleting -----------------------------------------------------------------------------------------

delete_all() {
	need_rights "get namespaces" "delete namespaces" "delete clusterroles.rbac.authorization.k8s.io" \
		"delete clusterrolebindings.rbac.authorization.k8s.io"
	find_pool
	step Delete "all of this:"
	list_objects
	step "" "and with the namespace $namespace all that is in it: both Secrets, so Gandi's token and the"
	step "" "peer key; the ConfigMap esddns-wan-ip; the Lease; the events. The DNS record stays as it is."
	[ -z "$pool" ] || step "" "MetalLB's esddns-pool and esddns-l2 go as well; MetalLB itself stays."
	[ -z "$dry_run" ] || return 0
	ask "Delete all this at $where?"
	kube delete -f "$tmp/all.yaml" --ignore-not-found --timeout="${timeout}s" >"$tmp/deleted" || {
		cat "$tmp/deleted"
		fail $EX_TEMPFAIL "not all is gone after $timeout s: kubectl get namespace $namespace -o yaml says what it waits for. Repeating this is safe"
	}
	delete_pool
	step Deleted "nothing of ESDDNS is left in the cluster"
}

# --- in order ---------------------------------------------------------------------------------------

deploy() {
	check_settings
	write_file
	if [ -n "$dry_run" ]; then
		if ! reach_cluster; then
			step "Dry run" "no cluster answers, so the file was only written: $(last "$tmp/error")"
			return
		fi
	else
		need_cluster
	fi
	need_rights "get namespaces" "create namespaces" "patch namespaces" "create serviceaccounts" \
		"create configmaps" "patch configmaps" "create services" "patch services" \
		"create roles.rbac.authorization.k8s.io" "create rolebindings.rbac.authorization.k8s.io" \
		"create clusterroles.rbac.authorization.k8s.io" \
		"create clusterrolebindings.rbac.authorization.k8s.io" "get secrets" "create secrets" \
		"create daemonsets.apps" "patch daemonsets.apps" "create deployments.apps" \
		"patch deployments.apps" "list pods"
	find_namespace
	pool_changes=
	[ -z "$range" ] || plan_metallb
	plan_secrets
	show_changes
	warn_of_policy
	if [ -n "$dry_run" ]; then
		check_with_cluster
		return
	fi
	[ -z "$changes$pool_changes" ] || ask "Apply this at $where?"
	[ -z "$pool_changes" ] || apply_metallb
	[ -z "$changes" ] || apply
	wait_ready
	show_address
}

for argument in "$@"; do
	case "$argument" in -h | --help) usage; exit 0 ;; esac
done
parse_options "$@"
# from here on no child has the token in its environment
api_key=${GANDI_API_KEY:-}
unset GANDI_API_KEY
[ -n "$delete" ] || check_environment
need_answerer
make_tmp
need_kubectl
need_kustomize
build_file
if [ -n "$delete" ]; then
	need_cluster
	delete_all
else
	deploy
fi
