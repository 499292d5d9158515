"""The program in a terminal, in a pipe, and beside a sweep that another process runs."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from transformers import AutoModelForCausalLM

from sweeper.analysis.monitor import Monitor
from sweeper.record.run_folder import RunFolder
from tests.sweeper.conftest import TINY
from trainable.config import TrainConfig
from trainable.loop.training import Trainer

pytestmark = pytest.mark.slow

STYLE = re.compile(r"\x1b\[[0-9;?]*[mhl]")
MOVE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\r?\n|\r")  # to a line, or back to its beginning
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38)(?:;\d+)*m")
RAYS_WORDS = re.compile(r"raylet|\(pid=|Tune Status|Trial name|ray::|object_store|WARNING", re.I)
CLEAN = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}
CLEARED = "\x1b[2J\x1b[H"  # all of the screen
SECONDS = 240


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sweeper", *arguments]


def piped(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=folder, env=CLEAN | env, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _heed_ctrl_c() -> None:
    """Also where the tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Terminal:
    """A program on a pseudo-terminal of so many columns."""

    def __init__(self, folder: Path, *arguments: str, width: int = 100, **env: str) -> None:
        self.screen = ""
        self._decoder = getincrementaldecoder("utf-8")()
        main, terminal = pty.openpty()
        self._main = main
        self.resize(width)
        self.process = subprocess.Popen(
            command(*arguments),
            cwd=folder, env=CLEAN | {"TERM": "xterm-256color"} | env,
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
            preexec_fn=_heed_ctrl_c,
        )  # fmt: skip
        os.close(terminal)

    def resize(self, width: int) -> None:
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))

    def read_until(self, holds: Callable[[str], object]) -> None:
        """What it writes, until that is enough or it has ended."""
        while not holds(self.screen):
            ready, _, _ = select.select([self._main], [], [], SECONDS)
            assert ready, f"nothing more after {SECONDS} s: {self.screen[-2000:]}"
            try:
                part = os.read(self._main, 65536)
            except OSError:  # the other side is closed
                part = b""
            if not part:
                break
            self.screen += self._decoder.decode(part)  # a letter may come in two parts

    def wait(self) -> int:
        self.read_until(lambda _: False)
        os.close(self._main)
        return self.process.wait()

    @property
    def lines(self) -> list[str]:
        """As written, one screen after another, without what moves the cursor."""
        return MOVE.split(STYLE.sub("", self.screen))


def write_space(folder: Path, **train: Any) -> None:
    rng = np.random.default_rng(0)
    (folder / "data").mkdir()
    for name, size in (("train", 20_000), ("val", 2_000)):
        tokens = (np.arange(size) + rng.integers(0, 4, size)) % 64
        np.save(folder / "data" / f"{name}.npy", tokens.astype(np.uint8))
    (folder / "data" / "meta.json").write_text('{"vocab_size": 64, "bytes_per_token": 1.0}')
    document = {
        "data": "data",
        "train": TINY | train,
        "space": {"learning_rate": {"grid": [1e-3, 3e-3, 1e-2]}},
        "scheduler": {"type": "asha", "grace_steps": 40},
    }
    with (folder / "space.yaml").open("w") as file:
        YAML().dump(document, file)


class Ran:
    """A sweep that was run on a terminal, and what it and its watchers showed."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.folder = RunFolder(project / "runs" / "space")
        run = Terminal(project, "run", "space.yaml", "--no-dashboard", width=80)
        run.read_until(lambda screen: "running" in screen)
        watched = Terminal(project, "status", "space", "--watch", width=60)
        left = Terminal(project, "status", "space", "--watch")
        left.read_until(lambda screen: "trials ended" in screen)
        run.resize(70)
        left.resize(50)
        left.read_until(
            lambda screen: re.search(f"{re.escape(CLEARED)}.*trials ended", screen, re.S)
        )
        left.process.send_signal(signal.SIGINT)
        self.exit_codes = {"left": left.wait(), "run": run.wait(), "watched": watched.wait()}
        self.run, self.watched, self.left = run, watched, left


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    project = tmp_path_factory.mktemp("project")
    write_space(project, max_steps=1600, eval_every_steps=40, checkpoint_every_steps=200)
    yield Ran(project)


def test_the_live_table(ran: Ran) -> None:
    assert ran.exit_codes["run"] == 0
    assert re.search(r"\d/3 trials ended, \d running, \d+s so far", ran.run.screen)
    assert re.search(r"about \d+s left", ran.run.screen)
    assert re.search("[▁▂▃▄▅▆▇█]{2}", ran.run.screen)
    assert "Best: learning_rate" in ran.run.screen
    assert COLOUR.search(ran.run.screen)


def test_ray_says_nothing_on_the_screen(ran: Ran) -> None:
    assert not RAYS_WORDS.search(ran.run.screen)
    assert ran.folder.log.exists()


def test_a_sweep_is_watched_from_elsewhere_until_it_ends(ran: Ran) -> None:
    assert ran.exit_codes["watched"] == 0
    assert re.search(r"\d/3 trials ended, \d running", ran.watched.screen)
    *_, last = [line for line in ran.watched.lines if line.startswith("runs/space/: ")]
    assert last == "runs/space/: finished, 3/3 trials ended"


def test_ctrl_c_leaves_the_watch_and_not_the_sweep(ran: Ran) -> None:
    assert ran.exit_codes["left"] == 130
    assert Monitor(ran.folder).state_name == "finished"


def test_no_line_of_a_screen_is_longer_than_it(ran: Ran) -> None:
    assert max(map(len, ran.watched.lines)) <= 60
    table = [line for line in ran.run.lines if re.match(r"\d{4} |trial ", line)]
    assert table
    assert max(map(len, table)) <= 80
    for width in (40, 80, 200):
        terminal = Terminal(ran.project, "status", "space", width=width)
        assert terminal.wait() == 0
        assert max(map(len, terminal.lines)) <= width


def test_a_window_of_another_size_is_drawn_anew(ran: Ran) -> None:
    """With what stands above the table; and so no half of the table before is left."""
    _, drawn_anew = ran.run.screen.split(CLEARED)
    lines = MOVE.split(STYLE.sub("", drawn_anew))
    assert lines[0] == "space"
    assert lines[1].startswith("3 trials, ")
    assert max(map(len, (line for line in lines if re.match(r"\d{4} |trial ", line)))) <= 70
    assert ran.left.screen.count(CLEARED) == 1


def test_ctrl_c_while_ray_starts_ends_with_a_word_and_leaves_nothing(ran: Ran) -> None:
    before = os.listdir(ran.project / "runs")
    for number in (signal.SIGINT, signal.SIGTERM):
        run = Terminal(ran.project, "run", "space.yaml")
        run.read_until(lambda screen: "Starting Ray on this machine…" in screen)
        run.process.send_signal(number)
        assert run.wait() == 130
        assert "Ended before the sweep began: nothing was changed." in run.screen
    assert os.listdir(ran.project / "runs") == before


def test_a_pipe_gets_no_control_codes_and_every_column(ran: Ran) -> None:
    for arguments in (["status", "space"], ["list"], ["best", "space"], ["trial", "space", "0"]):
        done = piped(ran.project, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
    assert "tok/s" in piped(ran.project, "status", "space").stdout


def test_no_color_has_no_colour(ran: Ran) -> None:
    plain = Terminal(ran.project, "status", "space", NO_COLOR="1")
    assert plain.wait() == 0
    assert not COLOUR.search(plain.screen)


def test_a_terminal_without_our_letters_is_served_in_ascii(ran: Ran) -> None:
    for arguments in (["status", "space"], ["trial", "space", "0"], ["list"]):
        done = piped(ran.project, *arguments, PYTHONIOENCODING="ascii", COLUMNS="60")
        assert done.returncode == 0
        assert done.stdout.isascii()
        assert "?" not in done.stdout


def test_the_best_model_is_exported_as_it_was_trained(ran: Ran) -> None:
    done = piped(ran.project, "export", "space", "models/best")
    assert done.returncode == 0, done.stderr
    assert "models/best: without tokenizer.json" in done.stdout
    out = ran.project / "models" / "best"
    assert os.listdir(out.parent) == ["best"], "nothing is left of the making"
    best = json.loads(piped(ran.project, "best", "space", "--json").stdout)
    ours = Trainer(
        TrainConfig.from_mapping(best["config"]),
        resume_from=ran.project / best["checkpoint"],
        num_threads=1,
    )
    theirs = AutoModelForCausalLM.from_pretrained(out)
    tokens = torch.arange(16)[None] % 64
    ours.model.eval()
    torch.testing.assert_close(
        theirs(input_ids=tokens).logits, ours.model(tokens), rtol=0, atol=1e-5
    )
    assert ours.evaluate() == pytest.approx(best["val_loss"], abs=1e-5)


def test_completion_knows_the_sweeps_and_their_trials(ran: Ran) -> None:
    """As bash asks it of the `sweeper` command."""

    def completed(*words: str) -> list[str]:
        program = "from sweeper.commands.cli import app; app(prog_name='sweeper')"
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ran.project, capture_output=True, text=True, check=False,
            env=CLEAN | {
                "_SWEEPER_COMPLETE": "complete_bash",
                "COMP_WORDS": " ".join(["sweeper", *words]),
                "COMP_CWORD": str(len(words)),
            },
        )  # fmt: skip
        return done.stdout.split()

    assert "status" in completed("st")
    assert completed("status", "sp") == ["space"]
    assert completed("trial", "space", "00") == ["0000", "0001", "0002"]
