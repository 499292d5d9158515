"""The commands of `python -m sweeper`, by what they are for; `sweeper/cli.py` has the rest."""
