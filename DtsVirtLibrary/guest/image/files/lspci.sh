#!/bin/sh
# Lists PCI devices by number, as busybox's lspci does.
for device in /sys/bus/pci/devices/*; do
    read -r class <"$device/class"
    read -r vendor <"$device/vendor"
    read -r id <"$device/device"
    class=${class#0x}
    address=${device##*/}
    echo "${address#0000:} Class ${class%??}: ${vendor#0x}:${id#0x}"
done
