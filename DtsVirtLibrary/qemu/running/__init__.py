"""What a running QEMU shows of itself and of its guest."""
