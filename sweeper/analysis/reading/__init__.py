"""A run folder, read into the values that a summary takes."""
