"""The question: a search-space file, typed."""
