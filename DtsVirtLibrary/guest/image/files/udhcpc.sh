#!/bin/sh
# Puts into force what DHCP answered; called by udhcpc.
case $1 in
deconfig)
    ip -4 address flush dev "$interface"
    ;;
bound | renew)
    ip address replace "$ip/$mask" broadcast + dev "$interface"
    for gateway in $router; do
        ip route replace default via "$gateway" dev "$interface"
        break
    done
    for server in $dns; do
        echo "nameserver $server"
    done >/etc/resolv.conf
    [ "$1" = renew ] || echo "dtsvirt guest: $interface has $ip" >/dev/console
    ;;
esac
