"""What tools/benchmark.py does: blocks and their references side by side, checked and measured."""
