"""What precedes a QEMU process on the host, and why one refused to start."""
