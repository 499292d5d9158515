"""Training programs that are not ours, as trials: a process, what it prints, what it saves."""
