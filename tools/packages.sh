#!/usr/bin/env bash
# Installs what the tests need and this machine lacks, from the packages of a Debian-like system: Redis, PostgreSQL, Chromium,
# HAProxy, a C compiler, login shells and a few tools. Without apt-get, or without the right to use it, it says what is missing and ends
# well: the tests that need it are skipped, and say so.
set -euo pipefail

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
command -v shellcheck >/dev/null || missing+=(shellcheck)
command -v ssh-keygen >/dev/null || missing+=(openssh-client)
command -v haproxy >/dev/null || missing+=(haproxy)
command -v curl >/dev/null || missing+=(curl)
command -v nft >/dev/null || missing+=(nftables)
command -v mkfs.xfs >/dev/null || missing+=(xfsprogs)
command -v ip >/dev/null || missing+=(iproute2)
for shell in zsh fish tcsh ksh; do # a login user may have one
	command -v "$shell" >/dev/null || missing+=("$shell")
done
command -v gcc >/dev/null || missing+=(gcc libc6-dev) # for the race detector
[ "${#missing[@]}" -gt 0 ] || exit 0

become_root=()
if [ "$(id -u)" -ne 0 ]; then become_root=(sudo -n); fi
if command -v apt-get >/dev/null && { [ "${#become_root[@]}" -eq 0 ] || sudo -n true 2>/dev/null; }; then
	echo "installing ${missing[*]}"
	log=$(mktemp)
	if "${become_root[@]}" apt-get update -q >"$log" 2>&1 &&
		"${become_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
		rm -f "$log"
		exit 0
	fi
	tail -n 5 "$log" >&2
fi
echo "missing, and not to be installed from here: ${missing[*]}" >&2
