#!/bin/sh
# Loads the driver of a device that was plugged in.
[ "$ACTION" = add ] && [ -n "$MODALIAS" ] && exec modprobe -q "$MODALIAS"
