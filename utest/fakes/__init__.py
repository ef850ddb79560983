"""Stand-ins for what a real QEMU or guest agent cannot be brought to do."""
