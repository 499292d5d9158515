"""Runs a function as a trial's program: `python run_function.py MODULE:NAME`.

It is called with the trial. A generator yields a dict a report, with its `step`; another function
calls `trial.report`. Both ask `trial.should_stop(step)`, save to `trial.checkpoint` and return.
"""

import importlib
import os
import sys
from collections.abc import Generator


def main() -> None:
    sys.path.insert(0, os.getcwd())
    trial = importlib.import_module("sweeper_hook").trial  # the one that the function may import
    module, _, name = sys.argv[1].partition(":")
    said = getattr(importlib.import_module(module), name)(trial)
    if isinstance(said, Generator):
        for row in said:
            trial.report(row["step"], **{key: row[key] for key in row if key != "step"})


if __name__ == "__main__":
    main()
