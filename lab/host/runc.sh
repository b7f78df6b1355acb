#!/bin/bash
# Stands before runc on a machine of the lab. A container that asks for more open files or processes than this machine allows gets what
# it allows: a machine of the lab may not raise the limits that it has from outside. The real one is beside it as runc.distrib.
set -euo pipefail

files=()
previous=
for argument in "$@"; do
	case $previous in
	--bundle) files+=("$argument/config.json") ;; # of a container
	--process) files+=("$argument") ;;            # of a further process in it
	esac
	previous=$argument
done
if [ "${#files[@]}" -gt 0 ]; then
	NOFILE=$(ulimit -Hn) NPROC=$(ulimit -Hu) perl -i -pe '
		s/("type":"RLIMIT_(NOFILE|NPROC)","hard":)(\d+)(,"soft":)(\d+)/
			$most = $ENV{$2} eq "unlimited" ? $3 : $ENV{$2};
			$1 . ($3 > $most ? $most : $3) . $4 . ($5 > $most ? $most : $5)/gex' "${files[@]}"
fi
exec "$0.distrib" "$@"
