"""What one QEMU binary can do, as it says itself."""
