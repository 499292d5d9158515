"""On a screen."""
