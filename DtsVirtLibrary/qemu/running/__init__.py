"""A running QEMU: its process and channels, and what it shows of itself and of its guest."""
