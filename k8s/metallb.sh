# shellcheck shell=sh disable=SC2034,SC2086,SC2154 # its variables are those of deploy.sh
# MetalLB, the load balancer of clusters that no cloud gives one: the part of deploy.sh for
# --metallb. To be sourced; it only defines things.

metallb='metallb-system'
METALLB_VERSION=${METALLB_VERSION:-v0.14.9}

# --- the range ---------------------------------------------------------------------------

# range_refusal RANGE: why it is no range, or nothing. Addresses are compared as hexadecimal digits.
range_refusal() {
	printf '%s\n' "$1" | awk '
	function hexadecimal(n) { return sprintf("%08x", n) }
	function ipv4(text,    part, n, i, value) {
		n = split(text, part, ".")
		if (n != 4) return ""
		value = 0
		for (i = 1; i <= 4; i++) {
			if (part[i] !~ /^(0|[1-9][0-9]?[0-9]?)$/ || part[i] > 255) return ""
			value = value * 256 + part[i]
		}
		return hexadecimal(value)
	}
	# groups, each as four digits; count is how many there are, -1 if one is none
	function groups(text,    part, n, i, out) {
		count = 0
		out = ""
		if (text == "") return ""
		n = split(text, part, ":")
		for (i = 1; i <= n; i++) {
			if (length(part[i]) > 4 || part[i] !~ /^[0-9a-f]+$/) { count = -1; return "" }
			out = out substr("0000" part[i], length(part[i]) + 1)
			count++
		}
		return out
	}
	function ipv6(text,    gap, head, tail, have, i) {
		text = tolower(text)
		gap = index(text, "::")
		if (!gap) { head = groups(text); return count == 8 ? head : "" }
		head = groups(substr(text, 1, gap - 1)); have = count
		if (have < 0) return ""
		tail = groups(substr(text, gap + 2))
		if (count < 0 || have + count > 7) return ""
		for (i = have + count; i < 8; i++) head = head "0000"
		return head tail
	}
	function address(text) { return index(text, ":") ? ipv6(text) : ipv4(text) }
	function unusable(a) {
		if (length(a) == 8)
			return a ~ /^(00|7f|a9fe|[ef])/
		return a ~ /^(ff|fe[89ab]|0000000000000000)/
	}
	function refuse(why) { print why; refused = 1; exit }
	function two_ends(first, last) {
		a = address(first); b = address(last)
		if (a == "") refuse("\"" first "\" is no address")
		if (b == "") refuse("\"" last "\" is no address")
		if (length(a) != length(b)) refuse("it starts with one kind of address and ends with the other")
		# a letter in front: compared as texts, never as numbers
		if ("x" a > "x" b) refuse("its last address lies below its first")
		shared = length(a) == 8 ? 4 : 16
		if (substr(a, 1, shared) != substr(b, 1, shared)) refuse("it is too large: both ends must lie in one /16 (IPv4) or /64 (IPv6)")
	}
	function network(first, prefix,    host, digits, digit) {
		a = b = address(first)
		if (a == "") refuse("\"" first "\" is no address")
		host = length(a) * 4 - prefix
		if (prefix !~ /^(0|[1-9][0-9]?[0-9]?)$/ || host < 0) refuse("\"/" prefix "\" is no length of a prefix")
		if (prefix < (length(a) == 8 ? 16 : 64)) refuse("it is too large: at most a /16 (IPv4) or a /64 (IPv6)")
		digits = int(host / 4)
		digit = index("0123456789abcdef", substr(a, length(a) - digits, 1)) - 1
		if (substr(a, length(a) - digits + 1) !~ /^0*$/ || digit % (2 ^ (host % 4)))
			refuse("\"" first "\" is not the first address of a /" prefix "; MetalLB would take all of that network, so write the first one, or a range FIRST-LAST")
	}
	NR > 1 { refuse("it is more than one line") }
	{
		if (split($0, end, "-") == 2) two_ends(end[1], end[2])
		else if (split($0, end, "/") == 2) network(end[1], end[2])
		else refuse("it is neither FIRST-LAST nor NETWORK/PREFIX")
		if (!refused && (unusable(a) || unusable(b))) refuse("no host can have its addresses (loopback, link-local, multicast, or reserved)")
	}'
}
check_range() {
	[ -n "$range" ] || fail $EX_USAGE \
		"say which addresses MetalLB may give away, such as 192.168.1.100-192.168.1.110, behind --metallb"
	why=$(range_refusal "$range")
	[ -z "$why" ] || fail $EX_USAGE "\"$range\" is no range of addresses for MetalLB: $why"
}
check_source() {
	if [ -n "$manifest" ]; then
		{ [ -f "$manifest" ] && [ -r "$manifest" ]; } ||
			fail $EX_USAGE "--manifest: the file $manifest cannot be read"
	fi
	matches "$METALLB_VERSION" 'v[0-9]+\.[0-9]+\.[0-9]+' ||
		fail $EX_CONFIG "METALLB_VERSION: \"$METALLB_VERSION\" is no version; write it like v0.14.9"
	source=${manifest:-https://raw.githubusercontent.com/metallb/metallb/$METALLB_VERSION/config/manifests/metallb-native.yaml}
}

# --- what is there, and what is to be ------------------------------------------------------

pool() {
	cat <<END
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: esddns-pool
  namespace: $metallb
  labels:
    app.kubernetes.io/part-of: esddns
spec:
  addresses: ["$range"]
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: esddns-l2
  namespace: $metallb
  labels:
    app.kubernetes.io/part-of: esddns
spec:
  ipAddressPools: [esddns-pool]
END
}
# find_metallb: $installed, if the cluster knows its kinds
find_metallb() {
	installed=$(kube get crd ipaddresspools.metallb.io --ignore-not-found -o name) ||
		fail 1 "whether MetalLB is there cannot be seen; kubectl says why above"
}
# plan_metallb: says what will be done; $pool_changes, if that is anything.
plan_metallb() {
	find_metallb
	pool >"$tmp/pool.yaml"
	pool_changes=yes
	if [ -z "$installed" ]; then
		step MetalLB "is not there, and will be installed from $source"
		step Pool "esddns-pool with $range will be made, and announced by esddns-l2"
		return
	fi
	there=$(kube get namespace "$metallb" --ignore-not-found -o name) ||
		fail 1 "where MetalLB is cannot be seen; kubectl says why above"
	[ -n "$there" ] || fail $EX_UNAVAILABLE \
		"MetalLB is installed, but not in the namespace $metallb, so its pool must be made by hand; then deploy without --metallb"
	step MetalLB "is there, and stays as it is"
	compare "$tmp/pool.yaml" "MetalLB" 
	if [ -z "$differs" ]; then
		pool_changes=
		step Pool "esddns-pool has $range"
	else
		step Pool "esddns-pool, from what is there (-) to what will be (+):"
		cat "$tmp/diff"
	fi
}

# --- doing it --------------------------------------------------------------------------------

install_metallb() {
	kube apply -f "$source" >"$tmp/metallb" || {
		cat "$tmp/metallb"
		fail 1 "MetalLB could not be installed from $source; kubectl says why above. Without the internet: --manifest FILE"
	}
	step MetalLB "is installed"
}
# wait_metallb: until all that it runs is ready, whoever installed it
wait_metallb() {
	step Waiting "for MetalLB, at most $timeout s"
	for workload in $(kube get deployments,daemonsets --namespace "$metallb" -o name); do
		wait_rollout "$metallb" "$workload" && continue
		{
			show_pods "$metallb"
			show_warnings "$metallb"
		} >&2 || true
		fail $EX_TEMPFAIL "MetalLB is not ready after $timeout s ($workload), so ESDDNS was not deployed; when its pods run, repeat this"
	done
	step MetalLB "is ready"
}
# apply_pool: MetalLB's webhook, which has to agree, may take a while after its pod is ready.
apply_pool() {
	until kube apply -f "$tmp/pool.yaml" >"$tmp/metallb" 2>"$tmp/error"; do
		if ! grep -Eq 'calling webhook|no matches for kind' "$tmp/error" || [ "$(now)" -ge "$end" ]; then
			cat "$tmp/error" >&2
			fail 1 "MetalLB does not take the pool, so ESDDNS was not deployed; it says why above. Repeating this is safe"
		fi
		sleep 1
	done
	sed 's/^/           /' "$tmp/metallb"
}
apply_metallb() {
	end=$(($(now) + timeout))
	[ -n "$installed" ] || install_metallb
	wait_metallb
	apply_pool
}

# --- taking it away ---------------------------------------------------------------------------

# find_pool: $pool, what apply_pool() made
find_pool() {
	pool=
	find_metallb
	[ -n "$installed" ] || return 0
	pool=$(kube get ipaddresspools.metallb.io,l2advertisements.metallb.io --namespace "$metallb" \
		--selector app.kubernetes.io/part-of=esddns -o name) ||
		fail 1 "whether MetalLB has a pool of ESDDNS's cannot be seen; kubectl says why above"
}
delete_pool() {
	[ -n "$pool" ] || return 0
	# shellcheck disable=SC2086 # names, one a line
	kube delete --namespace "$metallb" --ignore-not-found --timeout="${timeout}s" $pool >/dev/null ||
		fail 1 "MetalLB's pool cannot be deleted; kubectl says why above"
}
