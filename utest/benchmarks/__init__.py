"""Tests of the benchmarks that need no QEMU."""
