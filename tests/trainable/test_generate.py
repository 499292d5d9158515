import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import AutoModelForCausalLM, AutoTokenizer

from trainable import export, generate
from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.generate import load_model
from trainable.loop.training import Trainer
from trainable.model.generation import generate_tokens
from trainable.model.transformer import LanguageModel
from trainable.weights.llama_writing import write_llama_folder

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    tokenizer = Tokenizer(WordLevel({letter: i for i, letter in enumerate("abcdefgh")}, "a"))
    tokenizer.pre_tokenizer = Split("", "isolated")
    tokenizer.save(str(tmp_path / "letters.json"))
    return tmp_path / "letters.json"


@pytest.fixture
def checkpoint(tiny: MakeConfig, tmp_path: Path) -> Path:
    trainer = Trainer(tiny())
    list(trainer.train())
    trainer.save(tmp_path / "checkpoint.pt")
    return tmp_path / "checkpoint.pt"


def test_the_cache_gives_what_the_whole_sequence_would(checkpoint: Path) -> None:
    model, config = load_model(checkpoint)
    prompt = [1, 2, 3]
    made = list(generate_tokens(model, config, prompt, num_tokens=13, temperature=0))
    tokens = list(prompt)
    for token in made:
        assert token == int(model(torch.tensor([tokens]))[0, -1].argmax())
        tokens.append(token)
    assert len(tokens) == config.context_length


def test_generation_goes_on_past_the_context(checkpoint: Path) -> None:
    model, config = load_model(checkpoint)
    made = list(generate_tokens(model, config, list(range(8)) * 4, num_tokens=50, seed=3))
    assert len(made) == 50
    assert made == list(generate_tokens(model, config, list(range(8)) * 4, num_tokens=50, seed=3))
    assert made != list(generate_tokens(model, config, list(range(8)) * 4, num_tokens=50, seed=4))


def test_the_command_prints_the_prompt_and_what_follows(
    checkpoint: Path, tokenizer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [str(checkpoint), "--tokenizer", str(tokenizer_file), "--num-tokens", "6"]
    assert generate.main([*flags, "--prompt", "abc"]) == 0
    text = capsys.readouterr().out.strip()
    assert text.replace(" ", "").startswith("abc")
    assert len(text.replace(" ", "")) == 9


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--temperature", "-1"], "temperature: must be at least 0, got -1"),
        (["--temperature", "nan"], "temperature: must be at least 0, got nan"),
        (["--temperature", "inf"], "temperature: must be finite, got inf"),
        (["--top_p", "0"], "top_p: must be above 0 and at most 1, got 0"),
        (["--top_p", "nan"], "top_p: must be above 0 and at most 1, got nan"),
        (["--seed", str(2**64)], "seed: must be from 0 to 18446744073709551615, got 1844674407370"),
        (["--seed", "-1"], "seed: must be from 0 to 18446744073709551615, got -1"),
        (["--prompt", "caf\udce9"], "prompt: must be UTF-8 text"),
        (["--device", "meta"], "device: must be auto, cpu, cuda or cuda:N, got 'meta'"),
        (["--tokenizer", "/no/where.json"], "/no/where.json: no such tokenizer.json"),
        (["--tokenizer", __file__], "test_generate.py: is not a tokenizer.json"),
        (["--num_tokens", "0"], "num_tokens: must be at least 1"),
        ([], "no tokenizer.json beside the training data; name one: --tokenizer"),
    ],
)
def test_mistakes_are_messages(
    checkpoint: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([str(checkpoint), "--prompt", "a", *flags]) == 2
    assert message in capsys.readouterr().err


def test_every_temperature_and_seed_draws_a_token(
    checkpoint: Path, tokenizer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The smaller the temperature, the surer the likeliest."""
    flags = [str(checkpoint), "--tokenizer", str(tokenizer_file), "--prompt", "abc"]
    shown = {}
    for temperature in ("0", "5e-324", "1e-310", "1e-45", "1e-6", "1e308"):
        for seed in ("0", str(2**63), str(2**64 - 1)):
            more = ["--temperature", temperature, "--seed", seed, "--num_tokens", "12"]
            assert generate.main([*flags, *more]) == 0
            shown[temperature, seed] = capsys.readouterr().out
    likeliest = shown["0", "0"]
    for temperature, seed in shown:
        if temperature != "1e308":
            assert shown[temperature, seed] == likeliest
    assert shown["1e308", "0"] != likeliest


def test_a_folder_means_its_newest_good_checkpoint(
    tiny: MakeConfig, tokenizer_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, other, empty = tmp_path / "run", tmp_path / "other", tmp_path / "empty"
    for folder in (run, other, empty):
        folder.mkdir()
    trainer = Trainer(tiny(max_steps=3))
    for _ in trainer.train():
        trainer.save(run / f"checkpoint_step_{trainer.step}.pt")
    trainer.save(other / "checkpoint.pt")
    flags = ["--tokenizer", str(tokenizer_file), "--prompt", "abc"]

    def said(source: Path) -> str:
        assert generate.main([str(source), *flags]) == 0
        return capsys.readouterr().out

    third = said(run / "checkpoint_step_3.pt")
    second = said(run / "checkpoint_step_2.pt")
    assert second != third
    assert said(run) == said(other) == third
    (run / "checkpoint_step_3.pt").write_bytes(b"damaged")
    assert generate.main([str(run), *flags]) == 0
    shown = capsys.readouterr()
    assert shown.out == second
    assert "warning: " in shown.err and "checkpoint_step_3.pt: truncated or damaged" in shown.err
    assert export.main([str(run), str(tmp_path / "out")]) == 0
    capsys.readouterr()
    for source, message in (
        (empty, f"{empty}: there is no checkpoint in it that can be read"),
        (tmp_path / "out", "out: there is no checkpoint in it that can be read; load a Hugging"),
        (tmp_path / "none", "none: no such checkpoint"),
        (run / "checkpoint_step_3.pt", "checkpoint_step_3.pt: truncated or damaged"),
    ):
        assert generate.main([str(source), *flags]) == 2
        assert message in capsys.readouterr().err
        assert export.main([str(source), str(tmp_path / "new")]) == 2
        assert message in capsys.readouterr().err


def test_a_locale_without_the_letters_is_no_traceback(
    checkpoint: Path, tmp_path: Path, tokenizer_file: Path
) -> None:
    described = tokenizer_file.read_text(encoding="utf-8").replace('"a"', '"ä"')
    tokenizer_file.write_text(described, encoding="utf-8")
    command = [sys.executable, "-m", "trainable.generate", str(checkpoint), "--prompt", "äb"]
    done = subprocess.run(
        [*command, "--tokenizer", str(tokenizer_file)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("\\xe4")


def test_transformers_loads_the_export(
    checkpoint: Path, tokenizer_file: Path, tmp_path: Path, tiny: MakeConfig
) -> None:
    out = tmp_path / "llama"
    assert export.main([str(checkpoint), str(out), "--tokenizer", str(tokenizer_file)]) == 0
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {p.name for p in out.iterdir()}
    theirs = AutoModelForCausalLM.from_pretrained(out)
    model, _ = load_model(checkpoint)
    tokens = torch.arange(8)[None]
    torch.testing.assert_close(theirs(input_ids=tokens).logits, model(tokens), rtol=0, atol=1e-5)
    assert AutoTokenizer.from_pretrained(out)("abh").input_ids == [0, 1, 7]

    tuned = Trainer(tiny(init_from=str(out)))
    for name, weight in model.state_dict().items():
        assert torch.equal(tuned.model.state_dict()[name], weight)


def test_an_export_overwrites_nothing(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export.main([str(checkpoint), str(tmp_path)]) == 2
    assert "is not empty; name a new folder" in capsys.readouterr().err
    assert export.main([str(tmp_path / "none.pt"), str(tmp_path / "new")]) == 2
    assert not (tmp_path / "new").exists()


def test_a_folder_of_another_model_is_refused(tiny: MakeConfig, tmp_path: Path) -> None:
    config = tiny(d_ff=48)

    write_llama_folder(tmp_path / "other", config, LanguageModel(config).state_dict(), None)
    with pytest.raises(CheckpointError, match="other: of another model: intermediate_size is 48"):
        Trainer(tiny(init_from=str(tmp_path / "other")))
    described = json.loads((tmp_path / "other" / "config.json").read_text())
    assert described["rope_theta"] == config.rope_theta
    (tmp_path / "other" / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(CheckpointError, match="other: not a readable Hugging Face folder"):
        Trainer(tiny(d_ff=48, init_from=str(tmp_path / "other")))
