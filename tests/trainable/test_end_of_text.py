"""The token that ends a text: where generation stops, and what an exported tokenizer calls it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, AutoTokenizer

from trainable import export, generate
from trainable.config import TrainConfig
from trainable.loop.training import Trainer
from trainable.weights.checkpoint import read_checkpoint
from trainable.weights.llama_tokenizer import llama_tokenizer

MakeConfig = Callable[..., TrainConfig]
END = "<|endoftext|>"


def letters(end: str | None = END) -> Tokenizer:
    """Eight letters; `a` is called `end`, where it is given."""
    names = "abcdefgh" if end is None else [end, *"bcdefgh"]
    tokenizer = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, "h"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    if end is not None:
        tokenizer.add_special_tokens([end])
    return tokenizer


def of_bytes() -> Tokenizer:
    """The ids are the bytes, written as the library writes them: byte 0 is the letter U+0100."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet(), key=lambda c: (ord(c) >= 256, c))
    own = [letter for letter in alphabet if ord(letter) < 256]
    others = [byte for byte in range(256) if chr(byte) not in own]
    vocab = {chr(ord(letter)): ord(letter) for letter in own}
    vocab |= {chr(256 + i): byte for i, byte in enumerate(others)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


Prepared = Callable[..., tuple[Path, Path]]


@pytest.fixture
def prepared(tiny: MakeConfig, tmp_path: Path) -> Prepared:
    """A data folder, and the checkpoint of a model trained on it whose next token is one above the
    last, in a circle of eight."""

    def prepare(tokenizer: Tokenizer, separator: int | None = 0) -> tuple[Path, Path]:
        data = tmp_path / "data"
        shutil.copytree(Path(str(tiny().train_data)).parent, data)
        tokenizer.save(str(data / "tokenizer.json"))
        meta = {"vocab_size": 8, "separator": separator}
        (data / "meta.json").write_text(json.dumps(meta))
        trainer = Trainer(tiny(train_data=str(data / "train.npy"), val_data=str(data / "val.npy")))
        with torch.no_grad():
            for name, weight in trainer.model.named_parameters():
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    weight.zero_()
            circle = torch.eye(8, 16)
            trainer.model.model.embed_tokens.weight.copy_(circle)
            trainer.model.lm_head.weight.copy_(50 * circle.roll(1, dims=0))
        trainer.save(tmp_path / "checkpoint.pt")
        return data, tmp_path / "checkpoint.pt"

    return prepare


def said(checkpoint: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    assert generate.main([str(checkpoint), "--num_tokens", "20", "--prompt", "bc", *flags]) == 0
    return capsys.readouterr().out


def test_generation_stops_at_the_end_of_the_text(
    prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checkpoint = prepared(letters())
    assert said(checkpoint, capsys) == "bcdefgh\n"


def test_where_the_data_have_no_end_it_goes_on(
    prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checkpoint = prepared(letters(end=None), separator=None)
    assert said(checkpoint, capsys) == "bcdefghabcdefghabcdefg\n"


def test_the_checkpoint_knows_the_end_of_data_that_are_gone(
    prepared: Prepared, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data, checkpoint = prepared(letters(end=None), separator=4)
    (data / "tokenizer.json").rename(tmp_path / "elsewhere.json")
    shutil.rmtree(data)
    assert said(checkpoint, capsys, "--tokenizer", str(tmp_path / "elsewhere.json")) == "bcd\n"


@pytest.mark.parametrize(
    ("tokenizer", "meta", "shown"),
    [
        (letters(end=None), '{"separator": 4}', "bcd"),
        (letters(), '{"separator": 4}', "bcd"),
        (letters(), "{}", "bcdefgh"),
        (letters("</s>"), "{}", "bcdefgh"),
        (letters(), "damaged", "bcdefgh"),
        (letters(), '{"separator": 99}', "bcdefghbcdefghbcdefg"),  # no such token: never met
    ],
)
def test_a_checkpoint_of_before_asks_the_data_and_then_the_tokenizer(
    prepared: Prepared,
    capsys: pytest.CaptureFixture[str],
    tokenizer: Tokenizer,
    meta: str,
    shown: str,
) -> None:
    data, checkpoint = prepared(tokenizer, separator=None)
    parts = torch.load(checkpoint)
    del parts["end_of_text"]
    torch.save(parts, checkpoint)
    (data / "meta.json").write_text(meta)
    assert said(checkpoint, capsys) == f"{shown}\n"


def test_a_resumed_run_hands_the_end_on(prepared: Prepared, tmp_path: Path) -> None:
    data, checkpoint = prepared(letters())
    (data / "meta.json").unlink()
    config = read_checkpoint(checkpoint).config
    trainer = Trainer(config, resume_from=checkpoint)
    list(trainer.train())
    trainer.save(tmp_path / "later.pt")
    assert read_checkpoint(tmp_path / "later.pt").end_of_text == 0


def adding(tokenizer: Tokenizer) -> Tokenizer:
    """One that begins and ends what it encodes, cuts it off and fills it up."""
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END} $A {END}", pair=f"{END} $A $B {END}", special_tokens=[(END, 0)]
    )
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=9, pad_id=7, pad_token="h")
    return tokenizer


def test_what_a_tokenizer_adds_does_not_come_between(
    prepared: Prepared, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert adding(letters()).encode("bc").ids == [0, 1, 2, 0, 7, 7, 7, 7, 7]
    _, checkpoint = prepared(adding(letters()))
    assert said(checkpoint, capsys) == "bcdefgh\n"
    assert export.main([str(checkpoint), str(tmp_path / "out")]) == 0
    theirs = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert theirs("bcdefgbcdefg").input_ids == [1, 2, 3, 4, 5, 6] * 2
    assert theirs.decode([1, 2, 3]) == "bcd"


@pytest.mark.parametrize("end", [END, "</s>"])
def test_what_transformers_makes_of_an_export_stops_too(
    prepared: Prepared, tmp_path: Path, end: str
) -> None:
    _, checkpoint = prepared(letters(end))
    out = tmp_path / "out"
    assert export.main([str(checkpoint), str(out)]) == 0
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert (tokenizer.eos_token, tokenizer.eos_token_id) == (end, 0)
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == (end, 0)
    assert tokenizer.model_max_length == 16
    # A class that transformers 4 has, too (run by hand with 4.57).
    settings = json.loads((out / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    model = AutoModelForCausalLM.from_pretrained(out)
    batch = tokenizer(["bc", "efg"], return_tensors="pt", padding=True, padding_side="left")
    made = model.generate(
        batch.input_ids, attention_mask=batch.attention_mask, max_new_tokens=12, do_sample=False
    )
    texts = tokenizer.batch_decode(made, skip_special_tokens=True)
    assert texts == ["bcdefgh", "efgh"]


def test_an_end_that_the_tokenizer_does_not_name_is_given_a_name(
    prepared: Prepared, tmp_path: Path
) -> None:
    _, checkpoint = prepared(letters(end=None))
    assert export.main([str(checkpoint), str(tmp_path / "out")]) == 0
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert (tokenizer.eos_token, tokenizer.eos_token_id) == (END, 0)
    assert tokenizer("bcd").input_ids == [1, 2, 3]


@pytest.fixture(scope="module")
def exported_bytes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, Tokenizer]:
    path = tmp_path_factory.mktemp("bytes") / "tokenizer.json"
    of_bytes().save(str(path))
    described, settings = llama_tokenizer(path, 0, 64)
    assert settings["eos_token"] == settings["pad_token"] == END
    return of_bytes(), Tokenizer.from_str(json.dumps(described))


def without_its_end(text: str) -> bool:
    return END not in text


characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


@given(text=st.text(characters).filter(without_its_end))
def test_an_exported_tokenizer_of_bytes_makes_the_bytes(
    exported_bytes: tuple[Tokenizer, Tokenizer], text: str
) -> None:
    """The letter that stands for byte 0 in the file is a letter in a text."""
    ours, exported = exported_bytes
    assert exported.token_to_id(END) == 0
    for some in (text, f"Ā{text}Ā"):
        assert exported.encode(some).ids == ours.encode(some).ids == list(some.encode())
        assert exported.decode(list(some.encode())) == some


def test_the_name_of_the_end_in_a_text_is_the_end(
    exported_bytes: tuple[Tokenizer, Tokenizer],
) -> None:
    """As in every tokenizer with a special token: transformers makes the end of it, too."""
    _, exported = exported_bytes
    assert exported.encode(f"a{END}b").ids == [ord("a"), 0, ord("b")]


def test_an_end_that_takes_part_in_merges_keeps_its_name(tmp_path: Path) -> None:
    merged = Tokenizer(models.BPE(vocab={"a": 0, "b": 1, "ab": 2}, merges=[("a", "b")]))
    merged.save(str(tmp_path / "tokenizer.json"))
    described, settings = llama_tokenizer(tmp_path / "tokenizer.json", 0, 64)
    assert "eos_token" not in settings
    assert Tokenizer.from_str(json.dumps(described)).encode("ab").ids == [2]


def test_no_control_character_reaches_a_terminal(
    tiny: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = np.arange(5000) % 256
    for name in ("train", "val"):
        np.save(tmp_path / f"{name}.npy", tokens.astype(np.uint8))
    files = {f"{name}_data": str(tmp_path / f"{name}.npy") for name in ("train", "val")}
    trainer = Trainer(tiny(vocab_size=256, **files))
    trainer.save(tmp_path / "random.pt")
    of_bytes().save(str(tmp_path / "tokenizer.json"))
    flags = ["--prompt", "a\x1b[31m", "--num_tokens", "3000", "--temperature", "5"]
    assert generate.main([str(tmp_path / "random.pt"), *flags]) == 0
    shown = capsys.readouterr().out
    assert len(shown) > 1000 and shown.startswith("a␛[31m")
    assert "␀" in shown and "␡" in shown
    assert not {c for c in shown if ord(c) < 32 or 0x7F <= ord(c) < 0xA0} - set("\t\n\r")
