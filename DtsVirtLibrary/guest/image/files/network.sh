#!/bin/sh
# Loads the drivers of what is plugged in, names the control card host_connect and asks for
# its address.
read -r cmdline </proc/cmdline
mac=
for word in $cmdline; do
    case $word in host_connect=*) mac=${word#*=} ;; esac
done

# Drivers of all devices in one go; virtio's own bus shows up with the virtio drivers.
load_drivers() {
    wanted=
    for file in /sys/bus/$1/devices/*/modalias; do
        [ -e "$file" ] && read -r alias <"$file" && wanted="$wanted $alias"
    done
    modprobe -q -a $wanted
}
load_drivers virtio
load_drivers pci

control_card() {
    for card in /sys/class/net/*; do
        [ -e "$card/device" ] || continue
        read -r address <"$card/address"
        if [ -n "$mac" ] && [ "$address" = "$mac" ]; then
            echo "${card##*/}"
            return
        fi
    done
    for card in /sys/bus/pci/devices/0000:00:1f.0/net/* \
        /sys/bus/pci/devices/0000:00:1f.0/virtio*/net/*; do
        if [ -e "$card" ]; then
            echo "${card##*/}"
            return
        fi
    done
}

ip link set lo up
card=$(control_card)
if [ -z "$card" ]; then
    echo "dtsvirt guest: no control card (MAC ${mac:-not given}, nothing at 00:1f.0)"
    exit 0
fi
ip link set "$card" name host_connect
ip link set host_connect up
udhcpc -f -S -i host_connect -t 20 -T 1 -A 1 -s /etc/udhcpc.script 
