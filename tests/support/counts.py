"""How often a test that repeats itself does so: little in `make test`, all in `make trust`."""

import os


def count(quick: int, full: int) -> int:
    """``full`` where the environment has NLZ_TRUST=full, else ``quick``."""
    return full if os.environ.get("NLZ_TRUST") == "full" else quick
