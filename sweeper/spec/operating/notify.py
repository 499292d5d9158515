"""`notify`: who is told how a session has ended."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sweeper.spec.domains.values import each_once

Ending = Literal["finished", "failed", "budget", "interrupted"]
ON: list[Ending] = ["finished", "failed", "budget"]


def _from_environment(stated: str) -> str:
    """Who has the address of a webhook can use it, and `sweep.yaml` is kept.

    Raises:
        ValueError: it is not `env:NAME`. The message does not repeat what is there.
    """
    if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", stated):
        raise ValueError(
            "must be env:NAME, of a variable of the environment that has the address: "
            "the address is a secret, and this file is kept with the sweep"
        )
    return stated


class Notify(BaseModel):
    """Both are told, if both are stated."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    on: Annotated[list[Ending], Field(min_length=1), AfterValidator(each_once)] = ON
    webhook: Annotated[str, AfterValidator(_from_environment)] | None = None
    command: Annotated[list[str], Field(min_length=1)] | None = None  # words: there is no shell
