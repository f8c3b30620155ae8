"""Look into a trained network: python tools/visualize.py CONFIG CHECKPOINT --image IMAGE ..."""

from nonlocal_zoo.experiments.visualize import main

if __name__ == "__main__":
    main()
