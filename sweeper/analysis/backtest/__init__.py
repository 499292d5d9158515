"""What another strategy would have found out: recorded curves, replayed."""
