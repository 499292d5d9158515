"""Whatever is written has the modes that the umask gives: colleagues may read what they should."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from tests.trainable.program_runs import flags
from trainable import export
from trainable.__main__ import main
from trainable.config import TrainConfig


@pytest.fixture(params=[0o002, 0o022, 0o027, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_modes_follow_the_umask(
    umask: int, tiny: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    out, llama = tmp_path / "new" / "run", tmp_path / "new" / "llama"
    config = tiny(checkpoint_every_steps=4)
    assert main([*flags(config), "--output_dir", str(out)]) == 0
    Tokenizer(WordLevel({letter: i for i, letter in enumerate("abcdefgh")}, "a")).save(
        str(tmp_path / "tokenizer.json")
    )
    (tmp_path / "tokenizer.json").chmod(0o600)
    exported = [str(out / "final_checkpoint.pt"), str(llama)]
    assert export.main([*exported, "--tokenizer", str(tmp_path / "tokenizer.json")]) == 0
    written = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert len(written) > 10
    for path in written:
        expected = (0o777 if path.is_dir() else 0o666) & ~umask
        assert path.stat().st_mode & 0o777 == expected, path
