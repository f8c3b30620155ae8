"""Train: python tools/train.py CONFIG [--work-dir DIR] [--resume] ..."""

from nonlocal_zoo.engine.launch import train

if __name__ == "__main__":
    train()
