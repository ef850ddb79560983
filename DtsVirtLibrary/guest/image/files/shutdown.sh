#!/bin/sh
# Ends the guest: shutdown [-P|-H|-r] [time] [message], poweroff, halt, reboot.
action=poweroff
case ${0##*/} in halt | reboot) action=${0##*/} ;; esac
for word; do
    case $word in
    -P | -h) action=poweroff ;;
    -H) action=halt ;;
    -r) action=reboot ;;
    esac
done
umount -a -r 2>/dev/null
sync
exec busybox "$action" -f
