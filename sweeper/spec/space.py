"""What is swept: a domain for each name, written as a mapping whose key is its kind:
`{loguniform: [1e-4, 1e-2]}`. All bounds are inclusive."""

from typing import Annotated

from pydantic import Discriminator

from sweeper.spec.domains.domain import Domain
from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.normal import Normal
from sweeper.spec.domains.ranges import LogRandInt, LogUniform, RandInt, Uniform
from sweeper.spec.domains.values import tag, tagged

DOMAINS: dict[str, type[Domain]] = {
    "grid": Grid,
    "choice": Choice,
    "uniform": Uniform,
    "loguniform": LogUniform,
    "randint": RandInt,
    "lograndint": LogRandInt,
    "normal": Normal,
}


def _kind(value: object) -> str | None:
    if isinstance(value, Domain):
        return next(tag(kind) for kind, model in DOMAINS.items() if isinstance(value, model))
    kinds = [key for key in value if key in DOMAINS] if isinstance(value, dict) else []
    return tag(kinds[0]) if len(kinds) == 1 else None


AnyDomain = Annotated[
    Annotated[Grid, tagged("grid")]
    | Annotated[Choice, tagged("choice")]
    | Annotated[Uniform, tagged("uniform")]
    | Annotated[LogUniform, tagged("loguniform")]
    | Annotated[RandInt, tagged("randint")]
    | Annotated[LogRandInt, tagged("lograndint")]
    | Annotated[Normal, tagged("normal")],
    Discriminator(
        _kind,
        custom_error_type="domain",
        custom_error_message="must be a mapping with one key out of " + ", ".join(DOMAINS),
    ),
]
