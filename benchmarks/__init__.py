"""What the library costs, measured against a script that does nothing but the necessary."""
