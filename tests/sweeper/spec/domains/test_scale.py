"""What has a place on which scale."""

import pytest

from sweeper.spec.domains.scale import Scale, require_on_scale
from sweeper.spec.domains.values import Scalar


@pytest.mark.parametrize(
    ("scale", "value"), [("log", 1e-9), ("linear", 0), ("linear", -1.5), ("category", "x")]
)
def test_it_has(scale: Scale, value: Scalar) -> None:
    require_on_scale(scale, value)


@pytest.mark.parametrize(
    ("scale", "value"),
    [("log", 0), ("log", -1e-9), ("log", None), ("linear", "1"), ("linear", True)],
)
def test_it_has_not(scale: Scale, value: Scalar) -> None:
    with pytest.raises(ValueError, match=r"must be (above 0 on a log scale|a number), got "):
        require_on_scale(scale, value)
