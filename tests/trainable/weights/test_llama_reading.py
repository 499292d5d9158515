"""Folders that transformers writes are read to the same logits, or refused in words."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from trainable.config import TrainConfig
from trainable.errors import CheckpointError
from trainable.loop.training import Trainer
from trainable.model.model_size import weight_shapes
from trainable.model.transformer import LanguageModel
from trainable.weights.pretrained import read_weights

MakeConfig = Callable[..., TrainConfig]
FLOAT32_ROUNDING = 2e-6  # of the largest logit

SHAPE = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "max_position_embeddings": 16,
}
OURS = TrainConfig.from_mapping(
    {
        "vocab_size": 40,
        "d_model": 32,
        "d_ff": 48,
        "num_layers": 3,
        "num_heads": 8,
        "context_length": 16,
        "rms_norm_eps": 1e-6,
    }
)


def written(folder: Path, shard: str = "1GB", **settings: Any) -> LlamaForCausalLM:
    """A folder of transformers' own, of weights far from the initial ones."""
    torch.manual_seed(0)
    llama = LlamaForCausalLM(LlamaConfig(**{**SHAPE, **settings})).float().eval()
    with torch.no_grad():
        for parameter in llama.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    llama.save_pretrained(folder, max_shard_size=shard)
    return llama


def assert_same_logits(llama: LlamaForCausalLM, weights: dict[str, torch.Tensor]) -> None:
    model = LanguageModel(OURS)
    model.load_state_dict(weights)
    tokens = torch.randint(40, (4, 16), generator=torch.Generator().manual_seed(1))
    theirs = llama(input_ids=tokens).logits
    assert (model(tokens) - theirs).abs().max() <= FLOAT32_ROUNDING * theirs.abs().max()


@pytest.mark.parametrize("shard", ["1GB", "8KB"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kv_heads", [8, 4, 2, 1])
def test_what_published_models_have_is_read_to_the_same_logits(
    tmp_path: Path, kv_heads: int, tied: bool, shard: str
) -> None:
    llama = written(tmp_path, shard, num_key_value_heads=kv_heads, tie_word_embeddings=tied)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shard == "8KB")
    assert_same_logits(llama, read_weights(tmp_path, OURS))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    llama = written(tmp_path)
    llama.to(dtype).save_pretrained(tmp_path)
    weights = read_weights(tmp_path, OURS)
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert_same_logits(LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32), weights)


@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
def test_epsilon_is_a_setting(tmp_path: Path, epsilon: float) -> None:
    llama = written(tmp_path, rms_norm_eps=epsilon)
    wanted = re.escape(f"of another model: rms_norm_eps is {epsilon} there and 1e-06 here")
    with pytest.raises(CheckpointError, match=wanted):
        read_weights(tmp_path, OURS)
    config = TrainConfig.from_mapping({**OURS.to_dict(), "rms_norm_eps": epsilon})
    model = LanguageModel(config)
    model.load_state_dict(read_weights(tmp_path, config))
    tokens = torch.arange(16)[None]
    theirs = llama(input_ids=tokens).logits
    assert (model(tokens) - theirs).abs().max() <= FLOAT32_ROUNDING * theirs.abs().max()


def test_a_trainer_goes_on_from_it(tmp_path: Path, tiny: MakeConfig) -> None:
    settings = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    settings |= {"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 8}
    written(tmp_path / "llama", **settings, tie_word_embeddings=True)
    trainer = Trainer(tiny(init_from=str(tmp_path / "llama"), rms_norm_eps=1e-6))
    keys = trainer.model.model.layers[0].self_attn.k_proj.weight
    assert torch.equal(keys[:8], keys[8:])
    *_, last = trainer.train()
    assert last is not None and last.val_loss is not None


def change_config(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "its positions are scaled, .*linear"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "its positions are scaled"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "its positions are scaled"),
        ({"rope_parameters": {"rope_type": "default", "factor": 2.0}}, "its positions are scaled"),
        ({"rope_scaling": 2.0}, "rope_scaling must be a JSON object, got 2.0"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor is 0.5"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'; this program's models have 'silu'"),
        ({"attention_bias": True}, "attention_bias is True; this program's models have False"),
        ({"mlp_bias": True}, "mlp_bias is True"),
        ({"head_dim": 16}, "head_dim is 16; this program's models have 4"),
        ({"model_type": "mistral"}, "model_type is 'mistral'; this program's models have 'llama'"),
        ({"model_type": None}, "model_type is 'missing'"),
        ({"quantization_config": {"bits": 4}}, "its weights are quantized"),
        ({"num_key_value_heads": 3}, "num_key_value_heads must divide .*, got 3 and 8"),
        ({"num_key_value_heads": 0}, "num_key_value_heads must divide .*, got 0 and 8"),
        (
            {"num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": None},
            r"num_attention_heads is 4 there and 8 here \(--num_heads\)",
        ),
        ({"num_attention_heads": 0}, "num_key_value_heads must divide"),
        ({"intermediate_size": 64}, r"intermediate_size is 64 there and 48 here \(--d_ff\)"),
        ({"intermediate_size": "48"}, "intermediate_size is '48' there and 48 here"),
        ({"rope_parameters": {"rope_theta": 5e5}}, "rope_theta is 500000.0 there and 10000.0 here"),
        ({"num_key_value_heads": 4}, r"k_proj.weight is of shape \(32, 32\), and \(16, 32\) is"),
    ],
)
def test_a_model_that_ours_cannot_be_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    written(tmp_path)
    change_config(tmp_path, **changes)
    with pytest.raises(CheckpointError, match=f"{tmp_path}.*{message}"):
        read_weights(tmp_path, OURS)


def test_what_config_does_not_state_is_transformers_default(tmp_path: Path) -> None:
    llama = written(tmp_path)
    described = json.loads((tmp_path / "config.json").read_text())
    defaults = ("rms_norm_eps", "rope_parameters", "num_key_value_heads", "hidden_act", "head_dim")
    for key in (*defaults, "tie_word_embeddings", "attention_bias", "mlp_bias"):
        del described[key]
    described |= {"rope_theta": 10000, "rope_scaling": None}  # as transformers 4 writes
    (tmp_path / "config.json").write_text(json.dumps(described))
    assert_same_logits(llama, read_weights(tmp_path, OURS))


NAME = "model.layers.1.self_attn.k_proj.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop(NAME), f"lacks {NAME}$"),
        (lambda w: [w.pop(n) for n in list(w) if "mlp" in n], r"lacks model\..*mlp.* and 8 more$"),
        (lambda w: w.pop("lm_head.weight"), "lacks lm_head.weight"),
        (
            lambda w: w.update({NAME: w[NAME][:, :5]}),
            r"k_proj.weight is of shape \(32, 5\), and \(",
        ),
        (lambda w: w.update({NAME: w[NAME].to(torch.int8)}), "is of torch.int8; its weights are "),
        (lambda w: w.update({NAME: w[NAME] / 0}), "holds numbers that are not finite"),
        (
            lambda w: w.update({NAME.replace("weight", "bias"): torch.zeros(32)}),
            r"has weights that this program's models have not: .*k_proj.bias$",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(
    tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], object], message: str
) -> None:
    written(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    change(weights)
    weights = {name: weight.contiguous() for name, weight in weights.items()}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=f"{tmp_path}.*{message}"):
        read_weights(tmp_path, OURS)


def test_rope_frequencies_of_early_folders_are_left_out(tmp_path: Path) -> None:
    llama = written(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(2)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert_same_logits(llama, read_weights(tmp_path, OURS))


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "no readable index of weights"),
        ("[]", "no readable index of weights"),
        ('{"weight_map": 5}', "no readable index of weights"),
        ('{"weight_map": {"a": "../other.safetensors"}}', "names a file outside its folder"),
        ('{"weight_map": {"a": "/etc/passwd"}}', "names a file outside its folder"),
        ('{"weight_map": {"a": "gone.safetensors"}}', r"gone\.safetensors: no such file"),
        ('{"weight_map": {"a": "model-00001-of-00006.safetensors"}}', "does not hold 'a'"),
    ],
)
def test_a_damaged_index_is_told(tmp_path: Path, index: str, message: str) -> None:
    written(tmp_path, "8KB")
    (tmp_path / "model-00001-of-00006.safetensors").write_bytes(
        next(tmp_path.glob("model-00001-*.safetensors")).read_bytes()
    )
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(CheckpointError, match=message):
        read_weights(tmp_path, OURS)


@pytest.mark.parametrize("kept", [0, 0.3, 0.95])
def test_a_shard_cut_short_is_told(tmp_path: Path, kept: float) -> None:
    written(tmp_path, "8KB")
    shard = next(tmp_path.glob("model-00002-*.safetensors"))
    shard.write_bytes(shard.read_bytes()[: int(shard.stat().st_size * kept)])
    with pytest.raises(CheckpointError, match=f"not a readable Hugging Face folder .{shard.name}"):
        read_weights(tmp_path, OURS)


def test_weights_in_pickles_are_not_read(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="only safetensors are read, so save it again"):
        read_weights(tmp_path, OURS)


def test_the_names_and_shapes_are_the_models() -> None:
    model = LanguageModel(OURS)
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    assert shapes == weight_shapes(OURS)
