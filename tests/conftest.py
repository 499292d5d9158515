"""What holds for every test: options, and properties that are not judged by the clock."""

import pytest
from hypothesis import settings

# A machine that is busy with something else is slow, and nothing is wrong with what is tested.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills",
        type=int,
        default=20,
        help="How often sweeps are killed at random (tests/sweeper/runtime/ray_tune/test_kills.py)",
    )
