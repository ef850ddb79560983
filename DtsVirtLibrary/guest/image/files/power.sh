#!/bin/sh
# Listens for the power button.
modprobe -q -a button evdev
exec acpid -f -l /run/acpid.log
