"""What has happened: the run folder, its journal, its tables."""
