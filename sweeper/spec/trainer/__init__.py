"""What trains: a program, ours or not, with the settings that it takes."""
