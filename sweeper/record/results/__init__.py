"""What the trials of a point came to, and how far points lie apart seed by seed."""
