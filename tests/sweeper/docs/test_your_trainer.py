"""docs/your-trainer.md: each of its files is a sweep."""

import re
from pathlib import Path

import pytest

from sweeper.plan.plan import make_plan
from tests.sweeper.checked import load_checked

DOC = (Path(__file__).parents[3] / "docs" / "your-trainer.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOC, re.DOTALL)
LEAST = "space: {learning_rate: {grid: [1e-3]}}\n"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_every_example_is_a_sweep(example: str, tmp_path: Path) -> None:
    """A block without a space is a part of a file; the rest of it is the least there can be."""
    path = tmp_path / "space.yaml"
    path.write_text(example if "\nspace:" in example else example + LEAST)
    spec, source = load_checked(path)
    trials = make_plan(spec, None, source).trials
    assert len(trials) == len({str(trial.config) for trial in trials}) > 0


def test_the_scaling_script_is_whole() -> None:
    (scaling,) = (text for text in EXAMPLES if "nanochat-scaling" in text)
    assert len(re.findall(r"e1[89]-d\d+: ", scaling)) == 4 * 6
