"""Text from files of every kind."""
