"""A sweep as a notebook shows it."""
