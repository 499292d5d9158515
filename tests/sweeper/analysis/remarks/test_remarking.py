"""Traps that are planted are named, and a good sweep has none."""

from collections import Counter

import numpy as np
import pytest

from sweeper.analysis.remarks.remarking import remarks_of
from sweeper.analysis.summary import summarise
from tests.sweeper.analysis.remarks.traps import TRAPS, good

SWEEPS = 200  # of each kind


@pytest.mark.parametrize("kind", TRAPS)
def test_of_a_hundred_planted_traps_ninety_nine_are_named(kind: str) -> None:
    named = []
    for number in range(SWEEPS):
        sweep = TRAPS[kind](np.random.default_rng(number))
        named.append(kind in {remark.kind for remark in remarks_of(summarise(sweep))})
    assert np.mean(named) >= 0.99


def test_an_ordinary_good_sweep_has_no_remark() -> None:
    kinds: Counter[str] = Counter()
    for number in range(SWEEPS):
        sweep = good(np.random.default_rng(number))
        kinds.update({remark.kind for remark in remarks_of(summarise(sweep))})
    assert sum(kinds.values()) <= 0.01 * SWEEPS, kinds
