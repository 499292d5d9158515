"""A search-space file, read and checked."""
