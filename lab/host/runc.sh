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
	for limit in NOFILE:"$(ulimit -Hn)" NPROC:"$(ulimit -Hu)"; do
		[ "${limit#*:}" != unlimited ] || continue
		TYPE=${limit%%:*} MOST=${limit#*:} perl -i -pe '
			s/("type":"RLIMIT_$ENV{TYPE}","hard":)(\d+)(,"soft":)(\d+)/
				$1 . ($2 > $ENV{MOST} ? $ENV{MOST} : $2) . $3 . ($4 > $ENV{MOST} ? $ENV{MOST} : $4)/gex' "${files[@]}"
	done
fi
exec "$0.distrib" "$@"
