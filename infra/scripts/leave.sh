#!/bin/sh
# Runs a script on a machine by SSH. The script is the standard input. Runs where Pulumi runs.
#
# A machine that does not answer, or that is another one by now, is skipped. So a dead machine can leave the stack.
#
# Argument:  the whole ssh command, quoted for the shell
# Variables: NODE_NAME  the node's name

eval "set -- $1"
complaint=$("$@" 3>&1 1>&2 2>&3) # standard error
status=$?
case $status,$complaint in
255,*"Permission denied"* | 255,*"Too many authentication failures"*)
	cat >&2 <<-END
		$NODE_NAME does not let this machine log in: $(echo "$complaint" | tail -n 1)
		It has to know the public key of swarm-scale:sshPrivateKeyFile or, if that is not set, of a key that "ssh-add -l" lists.
	END
	exit 1
	;;
255,*)
	echo "leave: $NODE_NAME does not answer as the machine it was, so what ran there is left there: $(echo "$complaint" | tail -n 1)" >&2
	exit 0
	;;
esac
echo "$complaint" >&2
exit "$status"
