"""Weights on disk: this program's checkpoints, Hugging Face's folders."""
