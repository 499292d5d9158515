"""How long the fuzzers of this folder go on, and from which seed.

In the suite each makes a fixed number of tries from seed 0: the same every time. Longer, each of
them for ten minutes:

    SWEEPER_FUZZ_SECONDS=600 python -m pytest tests/fuzz

A try that failed is named by its seed; SWEEPER_FUZZ_SEED=17 begins with that one.
"""

import os
import random
import time
from collections.abc import Callable, Iterator

import pytest

SECONDS = float(os.environ.get("SWEEPER_FUZZ_SECONDS", 0))
FIRST_SEED = int(os.environ.get("SWEEPER_FUZZ_SEED", 0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SECONDS and "/fuzz/" in str(item.path):
            item.add_marker(pytest.mark.timeout(SECONDS + 600))


@pytest.fixture
def tries() -> Callable[[int], Iterator[random.Random]]:
    """`for rng in tries(100): …`: a hundred in the suite, or as many as there is time for."""

    def tries(number: int) -> Iterator[random.Random]:
        end = time.monotonic() + SECONDS
        seed = FIRST_SEED
        while time.monotonic() < end if SECONDS else seed < FIRST_SEED + number:
            try:
                yield random.Random(seed)
            except GeneratorExit:  # the try failed
                print(f"\nto try this again: SWEEPER_FUZZ_SEED={seed}")
                raise
            seed += 1

    return tries
