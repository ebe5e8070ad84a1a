#!/bin/sh
# Puts together what an image of ESDDNS holds. Called by k8s/Dockerfile.
# usage: image-root.sh INSTALLED LIBRARIES PROGRAMS SYSTEM
#   INSTALLED  where "make install DESTDIR=" put everything
#   LIBRARIES  the prefix of the libraries that were built for this image
#   PROGRAMS   is made: the programs, and what belongs to them
#   SYSTEM     is made: what they need of Debian
set -eu
installed=$1
libraries=$2
programs=$3
system=$4

mkdir -p "$programs/usr/bin" "$programs/usr/libexec" "$programs/etc/esddns"
cp -p "$installed/usr/bin/esddns" "$installed/usr/bin/esddnsctl" "$programs/usr/bin/"
cp -pR "$installed/usr/libexec/esddns" "$programs/usr/libexec/"

# Merged as Debian's own root: the loader is asked for as /lib64/ld-..., libraries as /lib/...
mkdir -p "$system/usr/lib" "$system/usr/lib64"
ln -s usr/lib "$system/lib"
ln -s usr/lib64 "$system/lib64"
# Of a program or library: the path of each library that it needs in the end.
needed_by() {
	LD_LIBRARY_PATH=$libraries/lib ldd "$1" | grep -v linux-vdso |
		sed -E 's/^.* => //; s/^[[:space:]]*//; s/ \(0x.*//'
}
triplet=$(gcc -print-multiarch)
find "$programs" -type f -perm -u+x | while read -r file; do
	needed_by "$file"
done | sort -u | while read -r path; do
	[ -e "$path" ] || { echo "image-root.sh: a library is missing: $path" >&2; exit 1; }
	case "$path" in
	*/ld-*) to=$path ;;
	*) to=/usr/lib/$triplet/$(basename "$path") ;;
	esac
	mkdir -p "$(dirname "$system$to")"
	cp -L "$path" "$system$to"
done
find "$programs" "$system" -type f -exec strip {} +
mkdir -p "$system/etc/ssl/certs"
cp -L /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/"
mkdir -p "$system/run" "$system/var/lib"
chmod 1777 "$system/run"
mkdir -m 1777 "$system/var/lib/esddns"
