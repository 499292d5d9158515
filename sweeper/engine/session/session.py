"""What a session of a sweep is given beside its plan. All of it goes into `session_started`."""

import os
import platform
import socket
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from sweeper.engine.session import machine
from sweeper.engine.session.fingerprint import Fingerprint
from sweeper.plan.placement import Placement


@dataclass(frozen=True, kw_only=True)
class Session:
    """One driver's time with a run folder.

    Attributes:
        placement: What trials get in this session; only recorded.
        overrides: What this and all earlier sessions have changed in sweep.yaml, `KEY=VALUE` each.
        fingerprint: What the trials of this session have in common.
        accepted: How that differs from the session before, where the user has said to go on.
        retry_failed: Whether trials that failed are tried again.
    """

    placement: Placement | None = None
    overrides: tuple[str, ...] = ()
    fingerprint: Fingerprint = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    retry_failed: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "command": sys.argv,
            "python": platform.python_version(),
            "versions": {name: version(name) for name in ("sweeper", "torch", "ray", "numpy")},
            **machine.describe(),
            "overrides": list(self.overrides),
            "fingerprint": self.fingerprint,
            "accepted": list(self.accepted),
            **({} if self.placement is None else {"placement": self.placement.to_dict()}),
        }
