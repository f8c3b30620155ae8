"""What each block can and cannot do: small tasks on nodes whose answer is known.

    python tools/capabilities.py --out docs/results/capabilities

A network is a linear embedding of each node's features, one block, and a linear read-out of each
node: nothing but the block carries anything from node to node.
"""
