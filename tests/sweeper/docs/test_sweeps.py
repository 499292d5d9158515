"""docs/sweeps.md is run: its examples, its example of messages, and the defaults in its tables."""

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from sweeper.errors import SpecError
from sweeper.plan.plan import make_plan
from sweeper.spec.scheduler_spec import AshaSpec, HyperbandSpec, MedianSpec, PbtSpec
from sweeper.spec.space import DOMAINS
from sweeper.spec.sweep_spec import (
    CheckpointsSpec,
    FinalsSpec,
    Objective,
    Resources,
    Search,
    SweepSpec,
)
from tests.sweeper.checked import load_checked

DOC = (Path(__file__).parents[3] / "docs" / "sweeps.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOC, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_every_example_is_a_sweep(example: str, tmp_path: Path, tokens_folder: Path) -> None:
    """A block without a space is a part of a file; the rest of it is the least there can be."""
    least = "" if "\nspace:" in f"\n{example}" else "space: {adam_epsilon: {grid: [1e-8]}}\n"
    path = tmp_path / "space.yaml"
    path.write_text(example + least)
    spec, source = load_checked(path)
    plan = make_plan(spec, tokens_folder, source)
    assert len(plan.trials) == len({str(trial.config) for trial in plan.trials}) > 0


def test_the_example_of_mistakes_is_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wrong,) = re.findall(r"```yaml wrong\n(.*?)```", DOC, re.DOTALL)
    (told,) = re.findall(r"```text\n(.*?)```", DOC, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("space.yaml").write_text(wrong)
    with pytest.raises(SpecError) as error:
        load_checked(Path("space.yaml"))
    assert str(error.value) == told.strip()


@pytest.mark.parametrize(
    "section",
    [
        SweepSpec,
        Objective,
        Search,
        FinalsSpec,
        AshaSpec,
        HyperbandSpec,
        MedianSpec,
        PbtSpec,
        Resources,
        CheckpointsSpec,
    ],
)
def test_every_key_and_its_default_is_in_a_table(section: type[BaseModel]) -> None:
    for key, field in section.model_fields.items():
        if key == "type":
            continue  # told in the text
        key = field.alias or key
        rows = [row for row in DOC.splitlines() if re.match(rf"\| \[?`{key}`", row)]
        line = "\n".join(rows)  # `mode` is a key of two sections
        assert rows, f"{key} is in no table"
        default = field.get_default(call_default_factory=True)
        if isinstance(default, int | str) and default != "":
            assert f"`{default}`" in line
        elif field.is_required() and key != "name":
            assert "required" in line
        elif isinstance(default, BaseModel):
            stated = json.dumps(default.model_dump(exclude_none=True)).replace('"', "")
            assert f"`{stated}`".replace(".0", "") in line.replace(".0", "")


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_is_in_the_table(domain: str) -> None:
    assert f"\n| `{domain}: [" in DOC
