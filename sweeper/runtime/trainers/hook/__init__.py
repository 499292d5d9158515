"""What training scripts take from us, in one file."""
