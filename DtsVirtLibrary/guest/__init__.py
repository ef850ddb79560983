"""What runs inside a VM: the embedded guest's image, and ways to reach a guest."""
