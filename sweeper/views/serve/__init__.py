"""The sweeps of a folder in a browser, kept fresh, with buttons for the commands."""
