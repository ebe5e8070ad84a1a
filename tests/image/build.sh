#!/bin/sh
# Builds the image by k8s/Dockerfile, as root and without a registry: its base is made from the
# Debian packages that this machine's apt finds. Leaves build/image/esddns.tar (a docker archive of
# localhost/esddns:VERSION), and says how large each layer is; more than 25 MB in all is a failure.
# What it keeps for the next time is below build/image too; remove that to begin anew, from the
# packages of the day.
set -eu
cd "$(dirname "$(realpath "$0")")/../.."
. tools/packages.sh

suite=bookworm
base=docker.io/library/debian:$suite-slim
top=$PWD/build/image
version=$(sed -n 's/^AC_INIT(\[esddns\], \[\([^]]*\)\].*/\1/p' configure.ac)
image=localhost/esddns:$version

fail() {
	echo "build.sh: $*" >&2
	exit 1
}
[ "$(id -u)" -eq 0 ] || fail "debootstrap and buildah need root here; run it as root"
# What they mount is gone when this ends, however it ends, so that build/ can always be removed.
[ -n "${ESDDNS_UNSHARED:-}" ] || ESDDNS_UNSHARED=yes exec unshare --mount -- tests/image/build.sh "$@"

# A storage of its own: nothing is left in the machine's.
store() { # store COMMAND ARGUMENT...
	tool=$1
	shift
	"$tool" --root "$top/storage" --runroot "$top/runroot" "$@"
}

# Where this machine gets Debian from: the lines "URI SUITE COMPONENT" of its apt.
debian_archives() {
	# shellcheck disable=SC2016 # words of apt
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' | grep -E " $suite(-updates|-security)? " | sort -u
}

# The base's apt is to reach what this machine's does, in the same way: the archives, proxies, checks
# and authorities are configuration of the base, and no line of the Dockerfile.
configure_apt() { # configure_apt ROOT
	rm -f "$1/etc/apt/sources.list"
	debian_archives | while read -r uri release component; do
		printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n\n' "$uri" \
			"$release" "$component" /usr/share/keyrings/debian-archive-keyring.gpg
	done >"$1/etc/apt/sources.list.d/debian.sources"
	{
		apt-config dump --no-empty | grep -E '^Acquire::(https?::|Check-|Retries)' || true
		echo 'Acquire::Languages "none";'
		if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
			cp /etc/ssl/certs/ca-certificates.crt "$1/etc/apt/authorities.crt"
			echo 'Acquire::https::CaInfo "/etc/apt/authorities.crt";'
		fi
	} >"$1/etc/apt/apt.conf.d/90machine"
}

# Documents are no part of a slim image, and what is thrown away after a crash need not be synced.
configure_dpkg() { # configure_dpkg ROOT
	cat >"$1/etc/dpkg/dpkg.cfg.d/image" <<'EOF'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
EOF
}

make_base() {
	uri=$(debian_archives | sed -n "s/^\([^ ]*\) $suite .*/\1/p" | head -n 1)
	[ -n "$uri" ] || fail "this machine's apt knows no archive of Debian $suite;" \
		"add one to /etc/apt/sources.list and run apt-get update"
	echo "The base, by debootstrap (log: build/image/debootstrap.log) ..."
	mkdir -p "$top/base"
	mount -t tmpfs -o mode=755 tmpfs "$top/base"
	debootstrap --variant=minbase "$suite" "$top/base" "$uri" >"$top/debootstrap.log" 2>&1 || {
		tail -n 20 "$top/debootstrap.log" >&2
		fail "debootstrap failed; the whole log is build/image/debootstrap.log"
	}
	rm -rf "$top/base/var/cache/apt" "$top/base/var/lib/apt/lists"
	configure_apt "$top/base"
	configure_dpkg "$top/base"
	tar -C "$top/base" -c . | store podman import -q - "$base" >/dev/null
	umount "$top/base"
}

# shellcheck disable=SC2086,SC2154
need_packages $image_packages
mkdir -p "$top"
rm -rf "$top/runroot" # what a build that was killed believed to be mounted
store buildah rm --all >/dev/null
store podman image exists "$base" || make_base
echo "The image (log: build/image/build.log) ..."
revision=
if [ -e .git ] && head=$(git rev-parse HEAD 2>/dev/null); then # a release has no .git
	revision=--label=org.opencontainers.image.revision=$head
fi
# shellcheck disable=SC2086
store buildah bud --isolation chroot --format docker --layers --jobs 2 --force-rm --pull-never \
	--build-arg "VERSION=$version" $revision \
	-f k8s/Dockerfile -t "$image" . >"$top/build.log" 2>&1 || {
	tail -n 40 "$top/build.log" >&2
	fail "the build failed; the whole log is build/image/build.log"
}
rm -f "$top/esddns.tar.new"
store buildah push -q "$image" "docker-archive:$top/esddns.tar.new:$image"
/usr/bin/python3 tests/image/archive.py "$top/esddns.tar.new"
mv "$top/esddns.tar.new" "$top/esddns.tar"
echo "build/image/esddns.tar holds $image"
