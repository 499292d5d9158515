"""What a run folder has beside its record: nothing is decided by it."""
