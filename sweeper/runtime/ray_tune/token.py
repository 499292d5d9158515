"""The token that Ray's dashboard asks a browser for, and the command that prints it here."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def token_command() -> str | None:
    """The command that prints the token of the cluster that this process has joined; None if the
    cluster asks for none."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":  # Ray sets it as it starts
        return None
    ours = Path(sys.executable).with_name("ray")  # not resolved: a venv's python is a link
    on_path = shutil.which("ray")
    if on_path is not None and Path(on_path).absolute() == ours.absolute():
        return "ray get-auth-token"
    if not ours.exists():
        return f"{shlex.quote(sys.executable)} -m ray.scripts.scripts get-auth-token"
    here = Path.cwd()
    shown = ours.relative_to(here) if ours.is_relative_to(here) else ours
    return f"{shlex.quote(str(shown))} get-auth-token"
