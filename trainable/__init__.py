"""A language model training program: a torch model, a loop, a command line. No Ray in it."""
