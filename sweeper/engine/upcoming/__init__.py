"""What comes next in a sweep: which trial is created or promoted, and when the finals are."""
