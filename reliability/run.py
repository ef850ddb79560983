#!/usr/bin/env python3
"""Measure reliability from wherever this is called: see ``reliability/run.py --help``."""

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
runpy.run_module("reliability", run_name="__main__")
