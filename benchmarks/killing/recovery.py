"""How long a sweep was without a driver after a fault, and what took that long."""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GOAL_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Of one sweep after one fault. Moments are Unix time."""

    kind: str  # of the fault
    lost: float
    jobs: Sequence[float]  # when each was submitted
    process: float | None  # when the driver's began; None: not known
    session: float
    got_on: float  # with its first evaluation

    @property
    def seconds(self) -> float:
        """To the next session."""
        return self.session - self.lost

    @property
    def parts(self) -> dict[str, float]:
        """What the time to the first evaluation went by with, in seconds."""
        moments = {"until it was noticed and submitted": self.lost}
        if self.jobs:
            moments["until the last of several jobs"] = self.jobs[0]
            moments["until the driver's process"] = self.jobs[-1]
        if self.process is not None:
            moments["until its session"] = self.process
        moments["until its first evaluation"] = self.session
        ends = [*list(moments.values())[1:], self.got_on]
        return {
            name: end - begin
            for (name, begin), end in zip(moments.items(), ends, strict=True)
            if name != "until the last of several jobs" or len(self.jobs) > 1
        }

    def __str__(self) -> str:
        parts = ", ".join(f"{seconds:.1f} {name}" for name, seconds in self.parts.items())
        return f"{self.seconds:.1f} s after {self.kind} (s: {parts}; {len(self.jobs)} jobs)"


def process_began(pid: int | None) -> float | None:
    """In Unix time. None: it has ended."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    ticks = int(told.rpartition(")")[2].split()[19])
    since_boot = ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot


def tell(recoveries: Sequence[Recovery]) -> None:
    for kind in sorted({each.kind for each in recoveries}):
        those = [each for each in recoveries if each.kind == kind]
        seconds = [each.seconds for each in those]
        print(
            f"{kind}: {len(seconds)} times to the next session, {min(seconds):.1f} to "
            f"{max(seconds):.1f} s, in the middle {statistics.median(seconds):.1f}; "
            f"above {GOAL_SECONDS} s: {sum(each > GOAL_SECONDS for each in seconds)}"
        )
        for name in dict.fromkeys(name for each in those for name in each.parts):
            part = [each.parts[name] for each in those if name in each.parts]
            print(
                f"  {name}: {min(part):.1f} to {max(part):.1f} s, in the middle "
                f"{statistics.median(part):.1f}, {len(part)} times"
            )
