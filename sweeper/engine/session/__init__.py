"""One driver's time with a run folder: what it was given, what it may change."""
