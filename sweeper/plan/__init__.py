"""Every trial before it runs: its point, its config, its share of a node, its cost."""
