"""What each block can and cannot do: python tools/capabilities.py [--out DIR] [--check]"""

from nonlocal_zoo.experiments.capabilities.command import main

if __name__ == "__main__":
    raise SystemExit(main())
