"""Trains for half an hour and says whether memory grows: see --help."""

import sys

from nonlocal_zoo.experiments.soak import main

if __name__ == "__main__":
    sys.exit(main())
