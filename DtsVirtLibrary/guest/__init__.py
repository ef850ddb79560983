"""What runs inside a VM: the guests that the library builds, and ways to reach a guest."""
