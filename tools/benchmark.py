"""Measures blocks beside their references: python tools/benchmark.py [PATTERN ...] ..."""

import sys

from nonlocal_zoo.experiments.benchmark.command import main

if __name__ == "__main__":
    sys.exit(main())
