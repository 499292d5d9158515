"""Traps that are planted are named, and a good sweep has none."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from sweeper.analysis.reading.sweep_data import Parameter
from sweeper.analysis.remarks.remarking import remarks_of
from sweeper.analysis.summary import summarise
from tests.sweeper.analysis.remarks.traps import TRAPS, good
from tests.sweeper.analysis.summary.sweeps import sweep_of, trial

SWEEPS = 100  # of each kind


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


def test_a_decay_of_a_tenth_is_no_shorter_than_a_tenth() -> None:
    config = {"schedule": "wsd", "decay_fraction": 0.1, "warmup_steps": 60, "max_steps": 2400}
    swept = Parameter(name="max_steps", scale="linear", options=(2400,))
    seen = trial("0000", {"max_steps": 2400}, 3.0, 2.0, every=1200, max_steps=2400)
    seen = replace(seen, config=config)
    told = [remark.text for remark in remarks_of(summarise(sweep_of([seen], [swept])))]
    assert not any("cooldown" in text for text in told)
