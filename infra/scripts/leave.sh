#!/bin/sh
# Runs where Pulumi does, with an ssh command as its arguments and a script for the machine as its standard input. A machine
# that does not answer, or that is another one by now, is passed over: nobody should have to mend a machine to be rid of it.
#
# Variables: NODE_NAME  the node's name

complaint=$("$@" 3>&1 1>&2 2>&3)
status=$?
case $status,$complaint in
255,*"Permission denied"* | 255,*"Too many authentication failures"*) ;;
255,*)
	echo "leave: $NODE_NAME does not answer as the machine it was, so what ran there is left there: $(echo "$complaint" | tail -n 1)" >&2
	exit 0
	;;
esac
echo "$complaint" >&2
exit "$status"
