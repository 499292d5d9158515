"""Text to token ids, and the files that hold them."""
