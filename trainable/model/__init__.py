"""The model: its layers, its size, its loss, and what it goes on with."""
