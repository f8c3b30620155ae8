"""Compare: python tools/compare.py CONFIG --blocks nl snl ... [--seeds N] [--work-dir DIR] ..."""

import sys

from nonlocal_zoo.experiments.compare.command import main

if __name__ == "__main__":
    sys.exit(main())
