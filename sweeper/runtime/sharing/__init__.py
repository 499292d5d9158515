"""Several sweeps on one cluster: who has how much of it, and what a sweep does with that."""
