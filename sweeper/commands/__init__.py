"""The commands of `python -m sweeper`, in modules by what they are for; `cli` lists them all."""
