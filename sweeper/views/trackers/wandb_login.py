"""Asks W&B whether it takes this user's key. A process of its own:
`python -m sweeper.views.trackers.wandb_login`.

wandb starts a service that may wait for a dead server for minutes when it is to end. Here it is
killed with the process, and whoever asked has an answer.
"""

import os
import sys
from importlib import import_module

NO_KEY = 3  # exit code
REFUSED = 4  # the last line of standard output says why


def main() -> int:
    os.environ.setdefault("WANDB_SILENT", "true")
    wandb = import_module("wandb")
    try:
        return 0 if wandb.login(prompt=False) else NO_KEY
    except wandb.errors.Error as error:
        print(str(error).splitlines()[0])
        return REFUSED


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # without waiting for the service
