"""Whatever a document holds: it is a spec that is read back the same, or is told to be none."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sweeper.errors import SpecError
from sweeper.plan.points import draw
from sweeper.record.run_folder import create_run_folder
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.reading.yaml_source import is_plain
from sweeper.spec.space import DOMAINS
from sweeper.spec.sweep_spec import SweepSpec
from tests.sweeper.checked import load_checked

plain_texts = st.text(
    st.one_of(st.characters(codec="utf-8").filter(is_plain), st.sampled_from("\n\t '#:é")),
    max_size=100,
)


numbers = st.floats(1e-6, 1e-1)


SPACES = st.fixed_dictionaries(
    {"learning_rate": st.one_of(
        st.lists(numbers, min_size=1, max_size=4, unique=True).map(lambda v: {"grid": v}),
        st.tuples(st.floats(1e-6, 1e-4), st.floats(1e-3, 1)).map(lambda b: {"loguniform": list(b)}),
        st.tuples(st.floats(1e-6, 1e-4), st.floats(1e-3, 1)).map(lambda b: {"uniform": list(b)}),
        st.tuples(st.floats(1e-6, 1e-4), st.floats(1e-3, 1)).map(
            lambda b: {"loguniform": list(b), "step": b[0]}
        ),
        st.tuples(st.floats(1e-6, 1e-4), st.floats(1e-6, 1e-4)).map(lambda b: {"normal": list(b)}),
    )},
    optional={
        "warmup_steps": st.tuples(st.integers(0, 50), st.integers(51, 90)).map(
            lambda b: {"randint": list(b)}
        ),
        "size": st.dictionaries(
            st.text(min_size=1, max_size=12).filter(str.isprintable),
            st.fixed_dictionaries({"num_layers": st.integers(1, 999)}),
            min_size=1,
            max_size=3,
        ).map(lambda bundles: {"choice": bundles}),
        "d_ff": st.integers(1, 9).map(lambda step: {"lograndint": [8, 99], "step": step}),
        "dtype": st.just({"grid": ["auto", "float32"]}),
        "kind": st.just({"choice": {"a": {"beta2": 0.9}, "b": {"beta2": 0.99}}}),
        "grad_clip": st.just({"choice": [None, 1.0]}),
    },
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    SPACES,
    plain_texts,
    st.integers(0, 2**62),
    st.integers(1, 5),
    st.none() | st.lists(st.integers(0, 2**62), min_size=1, max_size=3, unique=True),
)
def test_a_spec_written_to_a_run_folder_is_read_back_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    space: Any,
    text: str,
    seed: int,
    num_trials: int,
    seeds: list[int] | None,
) -> None:
    document = {
        "name": "no",
        "description": text,
        "data": text,
        "train": {
            "max_steps": 100,
            "warmup_steps": 0,
            "init_from": text,
            "min_learning_rate": {
                "times": 0.1,
                "of": "learning_rate",
            },
        },
        "seeds": seeds,
        "constraints": [{"at_most": ["warmup_steps", 80]}, {"less": [0, "learning_rate"]}],
        "space": space,
        "search": {"algorithm": "random", "num_trials": num_trials, "seed": seed},
    }
    if "kind" in space:
        space["beta1"] = {"uniform": [0.5, 0.9], "when": {"kind": ["b"]}}
        document["train"]["beta1"] = 0.3  # type: ignore[index]
    if "warmup_steps" in space:
        del document["train"]["warmup_steps"]  # type: ignore[attr-defined]
    spec = SweepSpec.model_validate(document)
    runs = tmp_path_factory.mktemp("runs")
    again, _ = load_spec(create_run_folder(runs, spec, None, "space.yaml").spec)
    assert again == spec
    assert draw(again) == draw(spec)


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from(["asha", "fifo", "random", "grid", "sobol", "tpe", "val_loss"]),
)  # fmt: skip


KEYS = [*SweepSpec.model_fields, *DOMAINS, "type", "grace_steps", "num_trials", "cpu", "d_model",
        "learning_rate", "num_heads", "seed", "size", "algorithm", "metric",
        "init_from", "initial", "from"]  # fmt: skip


anything = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


domains = st.dictionaries(st.sampled_from([*DOMAINS]), anything, min_size=1, max_size=1)


swept = st.dictionaries(st.sampled_from(KEYS), domains, max_size=3)


documents = st.fixed_dictionaries(
    {"space": st.one_of(swept, swept, anything)},
    optional={key: anything for key in SweepSpec.model_fields if key != "space"},
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents)
def test_any_document_is_a_spec_or_told_to_be_none(tmp_path: Path, document: Any) -> None:
    path = tmp_path / "space.yaml"
    with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
        YAML().dump(document, file)
    try:
        draw(load_checked(path)[0])
    except SpecError as error:
        told = str(error)
        assert told.startswith(str(path))
        assert len(set(error.problems)) == len(error.problems)
        assert not re.search(r"[Ii]nput should|validation|discriminator|Tag\(", told)
