"""A sweep at work: each event is on disk before it takes effect."""
