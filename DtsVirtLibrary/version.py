"""The version of the library; setup.py reads it from here without importing anything."""

VERSION = "0.1.0"
