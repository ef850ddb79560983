"""Devices plugged into a running QEMU, and unplugged."""
