"""The state of a sweep: a fold over the journal."""
