"""Published weights into ours: python tools/convert_checkpoint.py SOURCE TARGET --block ..."""

import sys

from nonlocal_zoo.experiments.convert import main

if __name__ == "__main__":
    sys.exit(main())
