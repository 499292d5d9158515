"""A sweep that was submitted to a cluster: the jobs that were to run it, and its user's code."""
