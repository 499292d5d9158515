"""What the best two write comes from their own weights, goes on from one prompt, and is the same
each time."""

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from sweeper.engine.audience import Audience
from sweeper.engine.sweep import Sweep
from sweeper.plan.plan import make_plan
from sweeper.record.exhibits.texts import Texts, read_texts, write_texts
from sweeper.record.run_folder import CHECKPOINT_FILE, RunFolder, create_run_folder
from sweeper.runtime.exhibits import writing
from sweeper.runtime.exhibits.writing import texts_by, writers_of
from sweeper.runtime.in_process import InProcess
from sweeper.runtime.session.ending import SessionResult, written_report
from sweeper.spec.reading.spec_file import load_spec
from sweeper.views.report.writing import report_page
from trainable.loop.training import Trainer


@pytest.fixture
def swept(tmp_path: Path, tokens_folder: Path, write_space: Any) -> tuple[RunFolder, Sweep]:
    """Of two trials, one of which learns the cycle of the tokens."""
    data = shutil.copytree(tokens_folder, tmp_path / "data")
    words = {f"<w{index}>": index for index in range(64)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<w0>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(data / "tokenizer.json"))
    grid = {"learning_rate": {"grid": [1e-5, 2e-2]}}
    space = write_space(data=str(data), space=grid, scheduler={"type": "fifo"})
    spec, source = load_spec(space)
    plan = make_plan(spec, data, source)
    folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    sweep = Sweep.open(folder, plan)
    InProcess(sweep, Audience(sweep, []), Trainer).run()
    sweep.close("finished")
    return folder, sweep


def texts_of(sweep: Sweep, folder: RunFolder) -> Texts | None:
    return texts_by(writers_of(sweep.state, folder), folder, threading.Event())


def test_the_best_two_go_on_from_one_prompt(swept: tuple[RunFolder, Sweep]) -> None:
    folder, sweep = swept
    texts = texts_of(sweep, folder)
    assert texts is not None
    assert [text.trial_id for text in texts.texts] == ["0001", "0000"], "the winner first"
    assert "<w" in texts.prompt
    first, second = (text.written.split() for text in texts.texts)
    assert len(first) == len(second) == 250, "a token is a byte in these data"
    assert first != second
    write_texts(folder, texts)
    assert read_texts(folder) == texts
    page = report_page(folder).decode()
    assert "What they write" in page
    assert " ".join(first[:5]).replace("<", "&lt;").replace(">", "&gt;") in page


def test_who_has_no_weights_writes_nothing(swept: tuple[RunFolder, Sweep]) -> None:
    folder, sweep = swept
    winner, second = (sweep.state.trials[trial_id] for trial_id in ("0001", "0000"))
    weights = folder.checkpoint("0000", str(second.checkpoint)) / CHECKPOINT_FILE
    weights.unlink()
    texts = texts_of(sweep, folder)
    assert texts is not None
    assert [text.trial_id for text in texts.texts] == ["0001"]
    assert texts_of(sweep, folder) == texts, "the same each time"
    weights = folder.checkpoint("0001", str(winner.checkpoint)) / CHECKPOINT_FILE
    weights.write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    assert texts_of(sweep, folder) is None
    assert "truncated or damaged" in folder.log.read_text()


def test_only_what_goes_on_from_the_prompt_is_shown() -> None:
    def behind(prompt: str, printed: str) -> str | None:
        command = [sys.executable, "-c", f"print({printed!r})"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            return writing._behind(prompt, process, 0, threading.Event())

    assert behind("a\x1bb", "a␛b and on") == " and on"
    assert behind("it 's", "it's and on") is None


def test_a_signal_leaves_out_the_text_and_not_the_report(
    swept: tuple[RunFolder, Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sweep = swept
    started: list[Any] = []
    behind = writing._behind

    def interrupted(prompt: str, process: Any, end: float, skipped: threading.Event) -> str | None:
        if not started:
            os.kill(os.getpid(), signal.SIGTERM)
            assert skipped.wait(60)
        started.append(process)
        return behind(prompt, process, end, skipped)

    monkeypatch.setattr(writing, "_behind", interrupted)
    said = io.StringIO()
    result = SessionResult(folder=folder, state=sweep.state, outcome="finished")
    assert written_report(Console(file=said, width=200), result) == folder.report
    assert said.getvalue().splitlines() == [
        "Writing some text with the best two… (Ctrl-C skips it)",
        "Skipped.",
    ]
    assert [process.returncode for process in started] == [-9, -9], "none goes on by itself"
    assert not folder.texts.exists() and folder.report.exists()


def test_a_file_that_is_something_else_is_no_text(swept: tuple[RunFolder, Sweep]) -> None:
    folder, _ = swept
    for content in ("", "[]", '{"texts": [{}]}', '{"prompt": 1, "texts": 2}'):
        folder.texts.write_text(content)
        assert read_texts(folder) is None
