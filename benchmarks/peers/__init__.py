"""The same job done by peers of this library: boot a guest, run a command, stop."""
