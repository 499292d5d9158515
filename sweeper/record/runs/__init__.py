"""The folder that run folders lie in."""
