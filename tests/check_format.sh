#!/bin/sh
# All C files are as clang-format leaves them, by the .clang-format at the top.
set -eu

srcdir=${srcdir:-.}

if [ "${ESDDNS_NO_FORMAT:-}" = 1 ]; then
	echo "check_format: left out, since ESDDNS_NO_FORMAT=1 is set"
	exit 77
fi
# an empty CLANG_FORMAT comes from configure, which found none
CLANG_FORMAT=${CLANG_FORMAT-clang-format-14}
if [ -z "$CLANG_FORMAT" ] || ! command -v "$CLANG_FORMAT" > /dev/null 2>&1; then
	echo "check_format: clang-format is missing; on Debian: apt-get install clang-format-14" \
		"(or set ESDDNS_NO_FORMAT=1 to leave this check out)" >&2
	exit 1
fi
case $("$CLANG_FORMAT" --version) in
*" version 14."*) ;;
*)
	echo "check_format: $("$CLANG_FORMAT" --version) formats otherwise than version 14;" \
		"on Debian: apt-get install clang-format-14 (or set ESDDNS_NO_FORMAT=1)" >&2
	exit 1
	;;
esac
if [ ! -f "$srcdir/.clang-format" ] || [ ! -f "$srcdir/common/mem.h" ]; then
	echo "check_format: $srcdir does not hold the sources (set srcdir)" >&2
	exit 1
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# the check must be able to fail
cp "$srcdir/.clang-format" "$tmp/"
printf 'int  main( void ){ return 0; }\n' > "$tmp/bad.c"
if "$CLANG_FORMAT" --dry-run --Werror "$tmp/bad.c" 2> /dev/null; then
	echo "check_format: $CLANG_FORMAT accepts a file that is badly formatted" >&2
	exit 1
fi

# a tarball has no git, and builds inside the tree have folders of their own, with others' files
find "$srcdir" -name .git -prune -o -path "$srcdir/build" -prune -o -name 'esddns-[0-9]*' -prune -o -name '*.[ch]' -type f -print |
	grep -v '/config\.h$' | LC_ALL=C sort > "$tmp/files"
[ -s "$tmp/files" ]
tr '\n' '\0' < "$tmp/files" | xargs -0 "$CLANG_FORMAT" --dry-run --Werror
