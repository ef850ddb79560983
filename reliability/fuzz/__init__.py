"""Fuzz targets: what comes from outside never ends in anything but an answer or a refusal.

``python -m reliability.fuzz TARGET --seconds N --seed S`` runs one with atheris, a fuzzer
that is led by coverage. ``utest/fuzz`` runs each without it over its corpus and some
thousand mutations that are the same every time.
"""
