"""What sweeps on one Ray cluster share: the broker, and the nodes that are about to go."""
