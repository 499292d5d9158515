"""A sweep, or one trial of it, stopped from anywhere: what is asked for, and who carries it out."""
