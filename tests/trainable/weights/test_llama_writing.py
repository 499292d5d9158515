"""Exports: `transformers` builds from them a model of its own with the same logits."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.model.transformer import LanguageModel
from trainable.weights.llama_writing import write_llama_folder
from trainable.weights.pretrained import read_weights

FLOAT32_ROUNDING = 2e-6  # of the largest logit
BASE = {
    **{"d_model": 32, "num_heads": 4, "d_ff": 48, "num_layers": 2, "vocab_size": 40},
    "context_length": 16,
}

SMALLER = {"base_width": 12, "base_depth": 1, "base_head_dim": 4}


def model_of(config: TrainConfig) -> LanguageModel:
    """Of weights far from the initial ones."""
    model = LanguageModel(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, "llama"),
        ({"num_kv_heads": 2, "tie_embeddings": True}, "llama"),
        ({"qk_norm": True}, "qwen3"),
        ({"qk_norm": True, "num_kv_heads": 1, "tie_embeddings": True}, "qwen3"),
        ({"parametrisation": "completep", **SMALLER}, "llama"),
        ({"parametrisation": "completep", **SMALLER, "qk_norm": True}, "qwen3"),
        ({"parametrisation": "mup", **SMALLER, "tie_embeddings": True}, "llama"),
    ],
)
def test_transformers_has_the_same_logits_and_what_is_read_back_is_the_same(
    tmp_path: Path, settings: dict[str, object], kind: str
) -> None:
    config = TrainConfig.from_mapping({**BASE, **settings})
    model = model_of(config)
    write_llama_folder(tmp_path / "out", config, model.state_dict(), None)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert theirs.config.model_type == kind
    tokens = torch.randint(40, (4, 16), generator=torch.Generator().manual_seed(1))
    expected = theirs(input_ids=tokens).logits
    assert (model(tokens) - expected).abs().max() <= FLOAT32_ROUNDING * expected.abs().max()

    read = read_weights(tmp_path / "out", config)
    assert read.keys() == model.state_dict().keys()
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(read[name], weight, rtol=1e-6, atol=0, msg=name)


@pytest.mark.parametrize(
    ("there", "here", "message"),
    [
        ({"qk_norm": True}, {}, "qk_norm is True there and False here"),
        ({}, {"qk_norm": True}, "qk_norm is False there and True here"),
        ({}, {"tie_embeddings": True}, "tie_embeddings is False there and True here"),
        ({"num_kv_heads": 1}, {"num_kv_heads": 2}, "num_kv_heads is 1 there and 2 here"),
        ({}, {"num_kv_heads": 2}, "num_kv_heads is 4 there and 2 here"),
    ],
)
def test_what_is_of_another_kind_is_refused(
    tmp_path: Path, there: dict[str, object], here: dict[str, object], message: str
) -> None:
    config = TrainConfig.from_mapping({**BASE, **there})
    write_llama_folder(tmp_path / "out", config, LanguageModel(config).state_dict(), None)
    with pytest.raises(CheckpointError, match=f"of another model: {message}"):
        read_weights(tmp_path / "out", TrainConfig.from_mapping({**BASE, **here}))
