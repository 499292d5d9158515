"""The model: its layers, its size, its loss, its weights on disk."""
