"""What is recorded only to be shown: nothing is decided by it."""
