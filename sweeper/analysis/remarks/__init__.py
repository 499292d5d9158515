"""What keeps an answer from being what it seems, and the next sweep that would mend it."""
