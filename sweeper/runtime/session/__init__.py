"""What a session begins with, and what it ends with."""
