#!/bin/sh
# Runs a script on a machine by SSH. The script is the standard input. Runs where Pulumi runs.
#
# A machine that does not answer, or that is another one by now, is skipped. So a dead machine can leave the stack. A login that fails
# for another reason is an error, which says what ssh said.
#
# Argument:  the whole ssh command, quoted for the shell
# Variables: NODE_NAME  the node's name

eval "set -- $1"
complaint=$("$@" 3>&1 1>&2 2>&3) # standard error
status=$?
gone=
problem="ssh could not log in on $NODE_NAME"
command -v "$1" >/dev/null || status=missing
case $status,$complaint in
missing,*) remedy="Install OpenSSH's client, version 8.5 or newer, where Pulumi runs." ;;
[!2]*,*"a password is required"* | [!2]*,*"sudo: "*"not found"* | [!2]*,*"not in the sudoers"* | [!2]*,*"not allowed to execute"* | \
	[!2]*,*"must have a tty"* | [!2]*,*"terminal is required"*)
	problem="the SSH user does not become root on $NODE_NAME"
	remedy="Let it run every command by sudo without a password, there: echo 'USER ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/swarm-scale. Or log in as root (swarm-scale:sshUser)."
	;;
255,*"Bad configuration option"*) remedy="ssh is older than the option: install OpenSSH's client, version 8.5 or newer, where Pulumi runs." ;;
255,*"Too many authentication failures"*)
	remedy="The machine hangs up after a few keys, and the SSH agent has more. Set swarm-scale:sshPrivateKeyFile to the right one."
	;;
255,*"Permission denied"*)
	# If ssh did not use the key, it says why before the machine denies the login.
	case $complaint in
	*"bad permissions"*) remedy="Others may read the key's file, so ssh does not use it: chmod 600 FILE" ;;
	*"Load key "*) remedy="ssh does not read the key's file. \"ssh-keygen -y -f FILE\" has to print the public key." ;;
	*"not accessible"*) remedy="swarm-scale:sshPrivateKeyFile has to name the private key's file." ;;
	*"agent refused"* | *"communication with agent failed"*) remedy="The SSH agent does not sign. Look at \"ssh-add -l\", or set swarm-scale:sshPrivateKeyFile." ;;
	*) remedy="The machine has to know the public key of swarm-scale:sshPrivateKeyFile or, if that is not set, of a key that \"ssh-add -l\" lists." ;;
	esac
	;;
255,*"timed out"* | 255,*"Connection refused"* | 255,*"No route to host"* | 255,*"etwork is unreachable"* | 255,*"Host is down"* | \
	255,*"Could not resolve hostname"* | 255,*"Host key verification failed"* | 255,*"not responding"*)
	gone=yes
	;;
255,*"UNKNOWN port"*) remedy="The ProxyCommand or ProxyJump of ssh's own configuration fails." ;;
255,*"Connection closed"* | 255,*"Connection reset"* | 255,*"closed by remote host"* | 255,*"Broken pipe"*) gone=yes ;;
255,*) remedy="Mend that, or ssh's own configuration where Pulumi runs." ;;
*)
	[ -z "$complaint" ] || echo "$complaint" >&2
	exit "$status"
	;;
esac
if [ -n "$gone" ]; then
	echo "leave: $NODE_NAME does not answer as the machine it was, so what ran there is left there: $complaint" >&2
	exit 0
fi
cat >&2 <<END
$problem. It said:
$complaint
$remedy
If the machine is gone for good, "pulumi state delete" with the URN of $NODE_NAME-presence drops it ("pulumi stack --show-urns" lists it).
END
exit 1
