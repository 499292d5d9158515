"""Text is UTF-8 wherever it is read or written, whatever the locale of the machine says."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def in_the_locales_encoding(source: str) -> Iterator[tuple[int, str]]:
    """The line and the source of each call that leaves the encoding of a text to the locale."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and not _is_sound(node):
            yield node.lineno, ast.unparse(node)


def _is_sound(call: ast.Call) -> bool:
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    if "encoding" in options:
        return True
    match call.func:
        case ast.Attribute(attr="read_text"):
            return bool(call.args)
        case ast.Attribute(attr="write_text"):
            return len(call.args) > 1
        case ast.Attribute(value=ast.Name(id="subprocess")):
            return not ({"text", "universal_newlines"} & options.keys())
        case ast.Name(id="open"):
            mode = [*call.args[1:2], options.get("mode")][0]
        case (
            ast.Attribute(value=ast.Name(id="os"), attr="open")
            | ast.Attribute(value=ast.Name(id="archive"), attr="open")  # the bytes of a member
            | ast.Attribute(value=ast.Name(id="webbrowser"))
        ):
            return True
        case ast.Attribute(attr="open", value=ast.Name(id=owner)) if owner[0].isupper():
            return True  # a constructor of ours
        case ast.Attribute(attr="open" | "fdopen" as name, value=owner):
            index = 1 if name == "fdopen" or ast.unparse(owner) in ("io", "gzip") else 0
            mode = [*call.args[index : index + 1], options.get("mode")][0]
        case (
            ast.Attribute(attr="TemporaryFile" | "NamedTemporaryFile")
            | ast.Name(id="TemporaryFile" | "NamedTemporaryFile")
        ):
            mode = [*call.args[:1], options.get("mode", ast.Constant("w+b"))][0]
        case _:
            return True
    # A mode that is no constant may be any.
    return isinstance(mode, ast.Constant) and "b" in str(mode.value)


@pytest.mark.parametrize(
    ("source", "is_sound"),
    [
        ("path.read_text()", False),
        ("path.read_text(errors='replace')", False),
        ("path.read_text(encoding='utf-8')", True),
        ("path.read_text('utf-8')", True),
        ("path.write_text(text)", False),
        ("path.write_text(text, encoding='utf-8')", True),
        ("path.open()", False),
        ("path.open('a')", False),
        ("path.open(mode='w')", False),
        ("path.open('rb')", True),
        ("path.open('wb', buffering=0)", True),
        ("open(path)", False),
        ("open(path, 'x')", False),
        ("open(path, mode)", False),
        ("open(path, 'rb')", True),
        ("open(path, encoding='utf-8')", True),
        ("os.fdopen(number, 'w')", False),
        ("os.fdopen(number, 'wb')", True),
        ("os.open(path, os.O_RDONLY)", True),
        ("archive.open(name)", True),
        ("Sweep.open(folder, plan)", True),
        ("tempfile.NamedTemporaryFile('w')", False),
        ("tempfile.NamedTemporaryFile()", True),
        ("subprocess.run(command, text=True)", False),
        ("subprocess.run(command, text=True, encoding='utf-8')", True),
        ("subprocess.run(command)", True),
    ],
)
def test_a_call_without_an_encoding_is_seen(source: str, is_sound: bool) -> None:
    assert (not list(in_the_locales_encoding(source))) == is_sound


def test_no_text_is_left_to_the_locale() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {call}"
        for package in ("sweeper", "trainable")
        for file in sorted((ROOT / package).rglob("*.py"))
        for line, call in in_the_locales_encoding(file.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(["say encoding='utf-8' there, or read and write bytes:", *found])


def test_another_locale_changes_nothing(tmp_path: Path, write_space: Any) -> None:
    """The text, its name, the search space and meta.json hold what ASCII does not."""
    (tmp_path / "café.txt").write_text("il était une fois …\n" * 500, encoding="utf-8")
    space = write_space(data="data", description="Où ?", train={"vocab_size": 256})
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for arguments in (
        ["sweeper", "prepare", "café.txt", "--out", "data"],
        ["sweeper", "plan", str(space), "--no-probe"],
        [
            *("trainable", "--train_data", "data/train.npy", "--val_data", "data/val.npy"),
            *("--vocab_size", "256", "--d_model", "16", "--num_heads", "2", "--d_ff", "16"),
            *("--num_layers", "1", "--context_length", "16", "--max_steps", "2"),
            *("--output_dir", "out"),
        ],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env=os.environ | locale,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
    meta = json.loads((tmp_path / "data/meta.json").read_bytes())
    assert meta["sources"][0]["path"] == "café.txt"
