"""The sweep service: a YAML search space in, a ranked answer out."""
