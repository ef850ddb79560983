"""The machine monitor (QMP) of one QEMU: its connection, events and replies."""
