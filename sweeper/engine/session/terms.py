"""What a session is given beside its plan, and what it notes about itself when it begins."""

import functools
import os
import platform
import socket
import sys
from dataclasses import dataclass, field
from importlib.metadata import version

from sweeper.engine.session import machine
from sweeper.plan.placement import Placement, share_of
from sweeper.record.state.events import Allotment, Fingerprint, SessionStarted, now

_version = functools.cache(version)  # which searches the path, and reads the package's files


@dataclass(frozen=True, kw_only=True)
class SessionTerms:
    """The terms on which a driver runs a sweep.

    Attributes:
        placement: What trials get in this session; only recorded.
        overrides: What this and all earlier sessions have changed in sweep.yaml, `KEY=VALUE` each.
        fingerprint: What the trials of this session have in common.
        accepted: How that differs from the session before, if the user has accepted it.
        retry_failed: Whether trials that failed are tried again.
    """

    placement: Placement | None = None
    overrides: tuple[str, ...] = ()
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    accepted: tuple[str, ...] = ()
    retry_failed: bool = False

    def begin(self, *, num_trials: int, torn: bool, follows: int) -> SessionStarted:
        """The session's first event.

        Args:
            num_trials: Of the whole sweep.
            torn: Whether a torn last line of the journal was cut off.
            follows: The number of lines in the journal so far.
        """
        return SessionStarted(
            time=now(),
            torn=torn,
            pid=os.getpid(),
            host=socket.gethostname(),
            command=tuple(sys.argv),
            python=platform.python_version(),
            versions={name: _version(name) for name in ("sweeper", "torch", "ray", "numpy")},
            machine=machine.hardware(),
            git=machine.commit(),
            overrides=self.overrides,
            fingerprint=self.fingerprint,
            accepted=self.accepted,
            placement=None if self.placement is None else _allotment(self.placement),
            num_trials=num_trials,
            follows=follows,
        )


def _allotment(placement: Placement) -> Allotment:
    resources = placement.resources
    cases = tuple(case.model_dump() for case in resources.cases)
    share = share_of(resources, None)
    return Allotment(
        slots=placement.slots, cpu=share.cpu, gpu=share.gpu, processes=share.processes, cases=cases
    )
