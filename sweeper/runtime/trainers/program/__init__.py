"""A program that somebody wrote: started, read, held, ended."""
