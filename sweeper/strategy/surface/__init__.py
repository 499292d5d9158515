"""What the results of a sweep say about points that have not run, and about trials that have not
ended."""
