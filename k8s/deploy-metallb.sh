#!/bin/sh
# Deploys ESDDNS behind MetalLB, for clusters that no cloud gives a load balancer. See --help.
set -eu

usage() {
	cat <<'END'
usage: deploy-metallb.sh development|production RANGE [OPTION...]
       deploy-metallb.sh development|production --delete [OPTION...]

Installs MetalLB where there is none, gives it the addresses of RANGE as the pool esddns-pool,
announced on the local network (esddns-l2), and deploys ESDDNS, whose Service gets one of them.
The same as deploy.sh with --metallb RANGE, whose options these are; see deploy.sh --help.

RANGE is 192.168.1.100-192.168.1.110, or a network such as 192.168.1.96/28; IPv6 as well. Nothing
else may use its addresses, the router's DHCP neither.

--delete deletes ESDDNS, the pool and its announcement; MetalLB itself stays.
END
}

for argument in "$@"; do
	case "$argument" in -h | --help) usage; exit 0 ;; esac
done
case "${2:-}" in
"" | -*)
	case " $* " in
	*" --delete "*) ;;
	*) usage >&2; exit 64 ;;
	esac
	;;
*)
	environment=$1
	range=$2
	shift 2
	set -- "$environment" --metallb "$range" "$@"
	;;
esac
. "$(dirname "$0")/deploy.sh"
