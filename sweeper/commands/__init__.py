"""The commands of `python -m sweeper`, by what they are for; `cli` has the rest."""
