"""`share`: what part of a cluster a sweep has beside the others that run on it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sweeper.spec.domains.values import WholeNumber

Weight = Annotated[float, Field(gt=0, le=1000)]


class ClusterShare(BaseModel):
    """Of the sweeps of one priority each has a part of the cluster as its weight."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    weight: Weight = 1
    priority: WholeNumber = Field(default=0, ge=-100, le=100)
