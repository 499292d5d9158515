import pytest

from sweeper.analysis.forecasts import Forecast
from sweeper.views.format import count, duration, headline, likely, number, size


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (999, "999"), (999.7, "1.0k"), (1000, "1.0k"), (1234567, "1.2M"),
     (999_999, "1.0M"), (2.5e9, "2.5B"), (-1500, "-1.5k")],
)  # fmt: skip
def test_count(value: float | None, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (75, "1m15s"), (3599.7, "1h00m"),
     (3725, "1h02m"), (200_000, "55h33m")],
)  # fmt: skip
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("mean", "deviation", "text"),
    [(1.4321, 0.02, "1.43 ± 0.02"), (1.4321, 0.0141, "1.432 ± 0.014"), (31.2, 5.1, "31 ± 5"),
     (1.4321, 0.0, "1.4321 ± 0.0000"), (1.4321, 2e-6, "1.4321 ± 0.0000"), (1e3, 400, "1000 ± 400")],
)  # fmt: skip
def test_likely(mean: float, deviation: float, text: str) -> None:
    assert likely(Forecast(mean, deviation)) == text
    assert likely(Forecast(mean, deviation), ascii=True) == text.replace("±", "+/-")


def test_number() -> None:
    assert number(None) == "-"
    assert number(1.23456) == "1.2346"
    assert number(1.23456, 2) == "1.23"
    assert number(12345.6) == "12345.6000"
    assert number(190489539837184.125) == "1.905e+14"


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"),
     (1_234_567, "1.2 MB"), (20 * 10**9, "20.0 GB"), (3.5e12, "3.5 TB")],
)  # fmt: skip
def test_size(num_bytes: float | None, text: str) -> None:
    assert size(num_bytes) == text


@pytest.mark.parametrize(
    "error, line",
    [
        ("It died.\n\nThe rest.", "It died."),
        (
            'Traceback:\n  File "a.py", line 1, in f\n    1 / 0\nValueError: no\nmore',
            "ValueError: no",
        ),
        ('Hung.\n\nHere:\n  File "a.py", line 1, in f\n    wait()', "Hung."),
        ("", ""),
    ],
)
def test_the_headline_of_an_error_names_it(error: str, line: str) -> None:
    assert headline(error) == line
