"""What a sweep could do without."""
