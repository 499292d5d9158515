"""The other processes of a run that several share, started by the one that leads."""
