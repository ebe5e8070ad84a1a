#!/bin/sh
# Puts together what an image of ESDDNS holds. Called by k8s/Dockerfile.
# usage: image-root.sh INSTALLED PROGRAMS SYSTEM
#   INSTALLED  where "make install DESTDIR=" put everything
#   PROGRAMS   is made: the programs, and what belongs to them
#   SYSTEM     is made: what they need of Debian
set -eu
installed=$1
programs=$2
system=$3

mkdir -p "$programs/usr/bin" "$programs/usr/libexec" "$programs/etc/esddns"
cp -p "$installed/usr/bin/esddns" "$installed/usr/bin/esddnsctl" "$programs/usr/bin/"
cp -pR "$installed/usr/libexec/esddns" "$programs/usr/libexec/"

# Merged as Debian's own root: the loader is asked for as /lib64/ld-..., libraries as /lib/...
mkdir -p "$system/usr/lib" "$system/usr/lib64"
ln -s usr/lib "$system/lib"
ln -s usr/lib64 "$system/lib64"
libraries() {
	find "$programs" -type f -perm -u+x | while read -r file; do
		ldd "$file" >/tmp/ldd || { echo "image-root.sh: ldd fails for $file" >&2; exit 1; }
		grep -v linux-vdso /tmp/ldd
	done | sed -E 's/^.* => //; s/^[[:space:]]*//; s/ \(0x.*//' | sort -u
}
libraries | while read -r path; do
	[ -e "$path" ] || { echo "image-root.sh: a library is missing: $path" >&2; exit 1; }
	mkdir -p "$system/$(dirname "$path")"
	cp -L "$path" "$system/$path"
done
mkdir -p "$system/etc/ssl/certs"
cp -L /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/"
mkdir -p "$system/run" "$system/var/lib"
chmod 1777 "$system/run"
mkdir -m 1777 "$system/var/lib/esddns"
