"""QEMU as a hypervisor; docs/architecture.md tells what its rooms hold, and their floors."""
