"""What is tried next, and what goes on. Pure."""
