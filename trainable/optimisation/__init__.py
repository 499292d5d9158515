"""From gradients to the next weights: optimiser, schedule, precision."""
