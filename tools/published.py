"""Published costs, counted anew: python tools/published.py [TABLE ...] [--out DIR]"""

from nonlocal_zoo.experiments.published.command import main

if __name__ == "__main__":
    raise SystemExit(main())
