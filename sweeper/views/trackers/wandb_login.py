"""Asks W&B whether it takes this user's key. It is a process of its own:
`python -m sweeper.views.trackers.wandb_login`.

wandb starts a service that, when told to end, may wait for a dead server for minutes. Here the
service is killed with the process, so the caller has its answer soon.
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
