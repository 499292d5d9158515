"""What is made only to be shown: nothing is decided by it."""
