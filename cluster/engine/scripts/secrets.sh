#!/usr/bin/env bash
# Writes a workload's secrets on its node, each into a file that the workload's user alone can read. With the argument "delete" the
# script removes them.
#
# Variables: CONTAINER           the workload's container
#            FOLDER              the files' folder on the node
#            OWNER               the ID of the workload's user
#            FILES               the files' names, separated by spaces
#            SECRET_1, SECRET_2  their texts, and so on
# Functions: make_folder, write_file
set -euo pipefail
export -n "${!SECRET_@}"

if [ "$1" = delete ]; then
	rm -rf "$FOLDER"
	echo "secrets: removed $CONTAINER's"
	exit 0
fi

make_folder "$FOLDER" "$OWNER"
number=0
for file in $FILES; do
	number=$((number + 1))
	secret=SECRET_$number
	# A new file, then a rename: the workload never sees half a file.
	printf '%s' "${!secret}" | write_file "$FOLDER/.$file.new" "$OWNER"
	mv "$FOLDER/.$file.new" "$FOLDER/$file"
done
for path in "$FOLDER"/*; do
	case " $FILES " in
	*" ${path##*/} "*) ;;
	*) rm -f "$path" ;;
	esac
done
echo "secrets: wrote $CONTAINER's $FILES"
