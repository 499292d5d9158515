"""The user's wish to end a sweep early."""

import time
from typing import Any

from ray.tune import Stopper

INTERRUPT_GRACE_SECONDS = 8.0  # for running trials to checkpoint


class Interrupt(Stopper):  # type: ignore[misc]  # Ray is untyped
    """A wish to end the sweep early: trials are paused, which checkpoints them, then it ends."""

    def __init__(self) -> None:
        self.requested_at: float | None = None
        self.quiet = False  # no trial is running any more

    def request(self) -> None:
        self.requested_at = self.requested_at or time.monotonic()

    @property
    def requested(self) -> bool:
        return self.requested_at is not None

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        if self.requested_at is None:
            return False
        return self.quiet or time.monotonic() - self.requested_at > INTERRUPT_GRACE_SECONDS
