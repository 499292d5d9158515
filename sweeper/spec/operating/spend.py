"""`max_spend`: where a sweep stops itself."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Hours = Annotated[float, Field(gt=0)]
SpendKey = Literal["cpu_hours", "gpu_hours", "until"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def with_zone(stated: str) -> str:
    """A time without a zone is one of this machine, and is kept with its zone: the sweep may go on
    elsewhere.

    Raises:
        ValueError: it is no time.
    """
    try:
        return datetime.fromisoformat(stated).astimezone().isoformat()
    except (ValueError, OverflowError):
        raise ValueError(f"must be a time, as 2027-01-31T08:00, got {stated!r}") from None


class MaxSpend(_Section):
    """Where the sweep stops itself, to be resumed with a larger budget. What trials have while they
    run is counted."""

    cpu_hours: Hours | None = None
    gpu_hours: Hours | None = None
    until: Annotated[str, AfterValidator(with_zone)] | None = None
