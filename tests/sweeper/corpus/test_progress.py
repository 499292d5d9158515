import io

import pytest
from rich.console import Console

from sweeper.corpus import progress
from sweeper.corpus.progress import readable_bytes, readable_seconds, stage


def test_plain_lines_come_at_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 9.0, 11.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    output = io.StringIO()
    with stage("Tokenizing", 1_000_000, Console(file=output)) as shown:
        for _ in range(4):
            shown.advance(100_000)
    assert output.getvalue().splitlines() == [
        "Tokenizing (1.0 MB)",
        "Tokenizing: 300.0 kB of 1.0 MB, about 26 s left",
    ]


def test_a_terminal_gets_a_bar() -> None:
    output = io.StringIO()
    terminal = Console(file=output, force_terminal=True, width=100)
    with stage("Tokenizing", 1_000_000, terminal) as shown:
        shown.advance(400_000)
    assert "1.0/1.0 MB" in output.getvalue()


def test_without_a_console_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with stage("Tokenizing", 10, None) as shown:
        shown.advance(10)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (11_254_445, "11.3 MB"), (5e9, "5.0 GB")],
)
def test_bytes_are_readable(num_bytes: float, text: str) -> None:
    assert readable_bytes(num_bytes) == text


def test_seconds_are_readable() -> None:
    assert (readable_seconds(26.4), readable_seconds(600)) == ("26 s", "10 min")
