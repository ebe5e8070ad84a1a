#!/bin/sh
# What the documents name is there: files and links, their headings, environment
# variables, metrics, options of the scripts; and README has every metric.
set -eu

srcdir=${srcdir:-.}
cd "$srcdir"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
fail() {
	echo "check_docs: $*" >&2
	touch "$tmp/failed"
}
documents() {
	find . -name '*.md' ! -path './build*' ! -path './_*' ! -path '*/.*' ! -path './esddns-*' | sed 's|^\./||' | sort
}
[ "$(documents | wc -l)" -ge 5 ] || fail "the documents cannot be found"

# anchors FILE: what a link can point to, as GitHub makes it of the headings
# shellcheck disable=SC2016
anchors() {
	sed -e '/^```/,/^```/d' "$1" | sed -n 's/^##* //p' | tr '[:upper:]' '[:lower:]' |
		sed -e 's/[^a-z0-9 _-]//g' -e 's/ /-/g'
	sed -n 's/.*<a \(id\|name\)="\([^"]*\)".*/\2/p' "$1"
}
# [text](target) outside of blocks of code
# shellcheck disable=SC2016
links() {
	sed -e '/^ *```/,/^ *```/d' "$1" | grep -oE '\]\([^)]+\)' | sed -e 's/^](//' -e 's/)$//' || :
}
for file in $(documents); do
	links "$file" > "$tmp/links"
	while read -r link; do
		case $link in http://* | https://* | mailto:*) continue ;; esac
		target=${link%%#*}
		case $link in '#'*) path=$file ;; *) path=$(dirname "$file")/$target ;; esac
		if [ ! -e "$path" ]; then
			fail "$file points to $target, which is not there"
			continue
		fi
		case $link in *'#'*) ;; *) continue ;; esac
		anchors "$path" > "$tmp/anchors"
		grep -qxF -e "${link#*#}" "$tmp/anchors" || fail "$file points to $link: there is no such heading"
	done < "$tmp/links"
done

# Paths below the project's folders, wherever they stand; a name in capitals, an ellipsis, a
# brace or a star stands for something else.
folders='common|ipc|cluster|supervisor|detector|updater|webd|ctl|etc|man|docs|k8s|tests|tools|\.ci'
for file in $(documents) NEWS; do
	grep -oE "(^|[\`( \"'.]|\./|\.\./)($folders)/[A-Za-z0-9_./*{},<>…-]*" "$file" |
		sed -E "s/^.*[\`( \"']//; s|^(\./)+||; s|^(\.\./)+||; s/[.,]+\$//; s/^\.ci/.ci/" |
		grep -vE '[A-Z]{2,}[A-Z_]*(\.|/|$)|[*{}<>…]' | sort -u > "$tmp/paths" || :
	while read -r path; do
		[ -e "$path" ] || [ -e "$(dirname "$file")/$path" ] && continue
		# a module without its ending, a program that is built, what a build leaves
		ls "$path".* > /dev/null 2>&1 || grep -qwF -e "$path" Makefile.am ||
			fail "$file names $path, which is not there"
	done < "$tmp/paths"
done

# metrics: what README and the deployment guide name is in the catalogue, and README has them all
sh tests/metric_names.sh . > "$tmp/metrics"
[ "$(wc -l < "$tmp/metrics")" -ge 25 ] || fail "the metrics cannot be found"
for file in $(documents); do
	grep -oE '\besddns_[a-z_]+' "$file" | sed 's/_\(bucket\|sum\|count\)$//' | sort -u > "$tmp/named" || :
	while read -r name; do
		grep -qx -e "$name" "$tmp/metrics" || fail "$file names the metric $name, which does not exist"
	done < "$tmp/named"
done
while read -r name; do
	grep -q "\`${name}[{\`]" README.md || fail "README lacks the metric $name"
done < "$tmp/metrics"

# every alert's runbook is a heading of its own
sed -n 's/^ *runbook: //p' k8s/monitoring/prometheus-rules.yaml > "$tmp/runbooks"
[ "$(wc -l < "$tmp/runbooks")" -ge 10 ] || fail "the alerts' runbooks cannot be found"
while read -r link; do
	anchors "${link%%#*}" > "$tmp/anchors"
	grep -qxF -e "${link#*#}" "$tmp/anchors" || fail "an alert points to $link: there is no such heading"
done < "$tmp/runbooks"

# variables: those of README's table are read by something
sed -n '/^## Configuration by the environment/,/^## /s/^| *\(`[^|]*\)|.*/\1/p' README.md |
	grep -oE '[A-Z][A-Z_]+' > "$tmp/variables"
[ "$(wc -l < "$tmp/variables")" -ge 10 ] || fail "README's variables cannot be found"
while read -r name; do
	grep -qF -e "\"$name\"" supervisor/*.c ctl/*.c common/*.c || fail "README names $name, which nothing reads"
done < "$tmp/variables"

# options of the scripts, wherever a document calls one
for script in quickstart run-tests k8s/deploy.sh k8s/deploy-metallb.sh; do
	for file in $(documents); do
		grep -oE "(\./)?$script( [^\`#|;&]*)?" "$file" | grep -oE ' --[a-z-]+' | sort -u > "$tmp/options" || :
		while read -r option; do
			grep -q -e "$option" "$script" || fail "$file calls $script with $option, which it does not know"
		done < "$tmp/options"
	done
done

[ ! -e "$tmp/failed" ]
