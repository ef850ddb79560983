"""The machine that QEMU runs on: one protocol, and the local machine as its first kind."""
