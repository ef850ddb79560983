"""Warm start: a guest that was saved as a template, and the clones made of it."""
