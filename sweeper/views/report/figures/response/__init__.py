"""Loss against one swept name: its curves, the dots of its trials, what lies beyond the range."""
