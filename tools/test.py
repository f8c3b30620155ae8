"""Test: python tools/test.py CONFIG CHECKPOINT [--show-dir DIR] [--out DIR] ..."""

from nonlocal_zoo.engine.launch import test

if __name__ == "__main__":
    test()
