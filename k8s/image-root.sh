#!/bin/sh
# Puts together what an image of ESDDNS holds. Called by k8s/Dockerfile, in the source tree.
# usage: image-root.sh INSTALLED LIBRARIES PROGRAMS SYSTEM
#   INSTALLED  where "make install-exec DESTDIR=" put the programs
#   LIBRARIES  the prefix of the libraries that were built for this image
#   PROGRAMS   is made: the programs, and what belongs to them
#   SYSTEM     is made: what they need of others
set -eu
installed=$1
libraries=$2
programs=$3
system=$4

# Of a program: the path of each library that it needs in the end, and of the loader.
needed_by() {
	LD_LIBRARY_PATH=$libraries/lib ldd "$1" | grep -v linux-vdso |
		sed -E 's/^.* => //; s/^[[:space:]]*//; s/ \(0x.*//'
}

# The Debian package that a file is of. Its list may name it without the /usr of a merged root.
package_of() {
	real=$(realpath "$1")
	dpkg-query -S "$real" 2>/dev/null || dpkg-query -S "${real#/usr}"
}

# What scanners for known weaknesses look for, and the licence.
describe_package() {
	name=${1%%:*}
	mkdir -p "$system/var/lib/dpkg/status.d" "$system/usr/share/doc/$name"
	dpkg-query -W -f 'Package: ${Package}\nStatus: ${Status}\nArchitecture: ${Architecture}\nSource: ${source:Package} (${source:Version})\nVersion: ${Version}\nDescription: ${binary:Summary}\n' \
		"$1" >"$system/var/lib/dpkg/status.d/$name"
	cp -L "/usr/share/doc/$name/copyright" "$system/usr/share/doc/$name/"
}

copy_library() {
	[ -e "$1" ] || { echo "image-root.sh: a library is missing: $1" >&2; exit 1; }
	case "$1" in
	*/ld-*) to=$1 ;;
	*) to=/usr/lib/$(gcc -print-multiarch)/$(basename "$1") ;;
	esac
	mkdir -p "$(dirname "$system$to")"
	cp -L "$1" "$system$to"
	case "$1" in
	"$libraries"/*) ;;
	*)
		owner=$(package_of "$1")
		echo "${owner%%: *}" >>"$system.packages"
		;;
	esac
}

mkdir -p "$programs/usr/bin" "$programs/usr/libexec" "$programs/usr/share/doc/esddns" "$programs/etc/esddns"
cp "$installed/usr/bin/esddns" "$installed/usr/bin/esddnsctl" "$programs/usr/bin/"
cp -R "$installed/usr/libexec/esddns" "$programs/usr/libexec/"
cp LICENSE "$programs/usr/share/doc/esddns/"

# Merged as Debian's own root: the loader is asked for as /lib64/ld-..., libraries as /lib/...
mkdir -p "$system/usr/lib" "$system/usr/lib64"
ln -s usr/lib "$system/lib"
ln -s usr/lib64 "$system/lib64"
echo ca-certificates >"$system.packages"
for file in "$programs"/usr/bin/* "$programs"/usr/libexec/esddns/*; do
	needed_by "$file"
done | sort -u >"$system.libraries"
while read -r path; do
	copy_library "$path"
done <"$system.libraries"
mkdir -p "$system/etc/ssl/certs"
cp -L /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/"
sort -u "$system.packages" | while read -r package; do
	describe_package "$package"
done
cp -R "$libraries/share/doc" "$system/usr/share/"
cp -R "$libraries/share/status.d" "$system/var/lib/dpkg/"
# the licences that those texts refer to
mkdir -p "$system/usr/share/common-licenses"
grep -rhoE '/usr/share/common-licenses/[A-Za-z0-9.-]*[A-Za-z0-9]' "$system/usr/share/doc" | sort -u |
	while read -r licence; do
		[ ! -e "$licence" ] || cp -L "$licence" "$system/usr/share/common-licenses/"
	done

# Whoever runs it without a mount can make a directory of his own in /run, as in /tmp elsewhere; and
# a new volume at /var/lib/esddns takes this mode on. Over a read-only root both are mounted.
mkdir -p "$system/run" "$system/var/lib/esddns"
chmod 1777 "$system/run" "$system/var/lib/esddns"
