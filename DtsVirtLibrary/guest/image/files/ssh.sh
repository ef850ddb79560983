#!/bin/sh
# Serves SSH with a host key of this boot.
read -r cmdline </proc/cmdline
for word in $cmdline; do
    case $word in authorized_key=*)
        mkdir -p -m 0700 /root/.ssh
        echo "ssh-ed25519 ${word#*=} dtsvirt" >/root/.ssh/authorized_keys
        ;;
    esac
done
key=/run/ssh_host_ed25519_key
[ -e $key ] || dropbearkey -t ed25519 -f $key >/dev/null 2>&1
exec dropbear -F -E -r $key 2>/run/ssh.log
