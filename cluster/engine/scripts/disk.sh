#!/usr/bin/env bash
# Puts the engine's volumes on the node's data disk, which outlives the machine. A disk that an earlier machine filled is taken as it
# is. What an engine already has in volumes is copied to an empty disk, once.
#
# Variables: NODE_NAME  the node's name
#            DISK       the disk's ID: vol-0123456789abcdef0
#            DISK_SIZE  its size in GiB; the file system grows with it
#            DEVICES    the names that its device may have, separated by spaces
#            FOLDER     the folder of the engine's volumes
#            ETC        the folder of the system's configuration; empty: /etc
# Functions: install_package
set -euo pipefail

fail() {
	echo "disk: $*" >&2
	exit 1
}

ETC=${ETC:-/etc}

# device prints the disk's device.
device() {
	local name
	for name in $DEVICES; do
		if [ -e "$name" ]; then
			readlink -f "$name"
			return 0
		fi
	done
	return 1
}

end=$((SECONDS + ${DISK_WAIT:-120}))
until device=$(device); do
	[ "$SECONDS" -lt "$end" ] || fail "$NODE_NAME does not see its disk $DISK: look whether it is attached (aws ec2 describe-volumes --volume-ids $DISK)"
	sleep 1
done

command -v mkfs.xfs >/dev/null || install_package xfsprogs || # Ubuntu's images have it
	fail "$NODE_NAME has no mkfs.xfs: install xfsprogs there, or take a machine image that has it"

status=0
kind=$(blkid --probe --output value --match-tag TYPE "$device") || status=$?
if [ "$status" -eq 2 ]; then # nothing that blkid knows
	mkfs.xfs -q -L swarm-scale "$device"
	kind=xfs
	echo "disk: formatted the empty disk $DISK"
fi
[ "$kind" = xfs ] || fail "$DISK on $NODE_NAME has something else than the stack's file system (${kind:-unknown}): it is left as it is"

if ! mountpoint -q "$FOLDER"; then
	have_unit() { systemctl cat docker.service >/dev/null 2>&1; } # a new machine has no engine yet
	if have_unit; then stop_engine; fi
	# The engine must not start without the disk: it would give the containers empty volumes.
	mkdir -p "$ETC/systemd/system/docker.service.d"
	printf '[Unit]\nRequiresMountsFor=%s\n' "$FOLDER" >"$ETC/systemd/system/docker.service.d/swarm-scale-disk.conf"

	install -d -m 0710 "$(dirname "$FOLDER")"
	install -d -m 0701 "$FOLDER"
	copied=.swarm-scale-copied
	staging=$(mktemp -d)
	mount "$device" "$staging"
	if [ ! -e "$staging/$copied" ]; then
		cp -a "$FOLDER/." "$staging/"
		touch "$staging/$copied"
	fi
	chmod 0701 "$staging"
	umount "$staging"
	rmdir "$staging"

	sed -i "\\|^[^#]*[[:space:]]${FOLDER}[[:space:]]|d" "$ETC/fstab"
	printf 'UUID=%s %s xfs nofail,x-systemd.device-timeout=120 0 2\n' "$(blkid --probe --output value --match-tag UUID "$device")" "$FOLDER" >>"$ETC/fstab"
	systemctl daemon-reload
	mount --fstab "$ETC/fstab" "$FOLDER"
	echo "disk: the engine's volumes are on $DISK"
	if have_unit; then start_engine; fi
fi
xfs_growfs "$FOLDER" >/dev/null
echo "disk: $DISK has $(df --output=avail -h "$FOLDER" | tail -n 1 | tr -d ' ') free"
