#!/usr/bin/env python3
"""Run the benchmarks from wherever they are called: ``benchmarks/run.py [--rounds N]``."""

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
runpy.run_module("benchmarks", run_name="__main__")
