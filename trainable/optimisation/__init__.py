"""From gradients to the next weights: the optimiser and its learning rate."""
