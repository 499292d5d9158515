"""Tokens on disk, batches in memory."""
