"""`python -m sweeper`."""

from sweeper.commands.cli import main

if __name__ == "__main__":
    main()
