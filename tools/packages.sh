# The Debian packages that building and testing need; read by quickstart and
# run-tests. A shell fragment: it only defines things.

build_packages="autoconf automake gcc libc6-dev make pkg-config
	libc-ares-dev libcjson-dev libcurl4-openssl-dev libinih-dev libmicrohttpd-dev libnng-dev libssl-dev
	libyaml-dev check"
# the sandbox is a Python program, and makes its certificates with openssl
sandbox_packages="python3 openssl curl ca-certificates"
# servers that nobody here wrote (coturn, nginx), and what the network tests need
test_packages="python3-pytest python3-yaml clang-format shellcheck coturn nginx-light iproute2 nftables
	procps xz-utils mandoc systemd zsh etcd-server clang libclang-rt-dev valgrind"
# what tests/image builds the container image with, and runs it with
image_packages="debootstrap buildah podman runc python3"
# what tests/e2e makes its nodes and their router of
e2e_packages="containerd runc containernetworking-plugins iproute2 iptables conntrack"
# the page's tests, in a real browser (its fonts come with it)
browser_packages="chromium python3-pytest"
# the rules, and a real Prometheus that reads the metrics
monitoring_packages="prometheus python3-yaml python3-pytest"
# what "make bench" compares with, and measures with
bench_packages="nginx-light wrk util-linux binutils"

# need_packages NAME...: install what is missing with apt, or say what to install.
need_packages() {
	missing=
	if ! command -v dpkg-query >/dev/null 2>&1; then
		if [ "${ESDDNS_PACKAGES:-}" = present ]; then
			return 0
		fi
		echo "This is no Debian or Ubuntu. Install what corresponds to these packages:" >&2
		printf '  %s\n' "$@" >&2
		echo "and run this again with ESDDNS_PACKAGES=present." >&2
		return 1
	fi
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null 2>&1; then
			echo "Packages are missing and there is no sudo; run as root:" >&2
			echo "  apt-get install$missing" >&2
			return 1
		fi
		sudo=sudo
	fi
	echo "Installing:$missing" >&2
	# a policy that says no keeps the test servers (coturn, nginx) from being started as services
	policy=/usr/sbin/policy-rc.d
	made_policy=
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
		$sudo chmod 755 "$policy"
		made_policy=yes
	fi
	failed=
	$sudo apt-get -q update >&2 || failed=yes
	# shellcheck disable=SC2086
	[ -n "$failed" ] || $sudo env DEBIAN_FRONTEND=noninteractive \
		apt-get -q install -y --no-install-recommends $missing >&2 || failed=yes
	[ -z "$made_policy" ] || $sudo rm -f "$policy"
	if [ -n "$failed" ]; then
		echo "apt could not install:$missing (its messages are above)." >&2
		return 1
	fi
}
