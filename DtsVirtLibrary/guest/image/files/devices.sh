#!/bin/sh
# Loads the drivers of what is plugged in, names the control card host_connect and asks for
# its address. The card is the one with the MAC given as host_connect= on the kernel's command
# line, else the one at 00:1f.0.

# The drivers of many devices in one go.
load_drivers() {
    wanted=
    for file; do
        [ -e "$file" ] && read -r alias <"$file" && wanted="$wanted $alias"
    done
    # shellcheck disable=SC2086 # each alias is a word
    [ -z "$wanted" ] || modprobe -q -a $wanted
}

# Every PC has a legacy IDE controller; its drivers cost half a second under TCG. A channel
# without drives answers 0 from its register of the selected drive.
ide_has_drives() {
    for port in 502 374; do
        [ "$(xxd -s $port -l 1 -p /dev/port)" = 00 ] || return 0
    done
    return 1
}

control_card() {
    for address in /sys/class/net/*/address; do
        read -r found <"$address"
        if [ -n "$mac" ] && [ "$found" = "$mac" ]; then
            card=${address%/address}
            card=${card##*/}
            return
        fi
    done
    for found in /sys/bus/pci/devices/0000:00:1f.0/net/* \
        /sys/bus/pci/devices/0000:00:1f.0/virtio*/net/*; do
        if [ -e "$found" ]; then
            card=${found##*/}
            return
        fi
    done
}

read -r cmdline </proc/cmdline
mac=
for word in $cmdline; do
    case $word in
    host_connect=*) mac=${word#*=} ;;
    hostname=*) hostname "${word#*=}" ;;
    hugepages=*) mkdir -p /dev/hugepages && mount -t hugetlbfs hugetlbfs /dev/hugepages ;;
    esac
done

cards= others=
for device in /sys/bus/pci/devices/*; do
    read -r class <"$device/class"
    case $class in
    0x02*) cards="$cards $device/modalias" ;;
    0x0101*) ! ide_has_drives || others="$others $device/modalias" ;;
    *) others="$others $device/modalias" ;;
    esac
done
# shellcheck disable=SC2086 # a list of paths
load_drivers /sys/bus/virtio/devices/*/modalias $cards

ip link set lo up
card=
control_card
if [ -n "$card" ]; then
    [ "$card" = host_connect ] || ip link set "$card" name host_connect
    ip link set host_connect up
    udhcpc -f -i host_connect -t 20 -T 1 -A 1 -s /etc/udhcpc.script >/run/dhcp.log 2>&1 &
else
    echo "dtsvirt guest: no control card (MAC ${mac:-not given}, no card at 00:1f.0)"
fi

# shellcheck disable=SC2086 # a list of paths
load_drivers $others /sys/bus/acpi/devices/*/modalias
: >/run/devices-ready
