"""The order of the rooms, as it is in the tree; and that its test would see a breach."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.sweeper.rooms import House, read_house, room_of

ROOT = Path(__file__).parents[2]
MOST_MODULES = 10  # in a room: more, and nobody reads the folder as a sentence
MOST_ROOMS = 10  # in a package or room
LONE_FILES = {"__init__.py", "__main__.py", "py.typed"}


def test_the_rooms_keep_their_order() -> None:
    breaches = read_house(ROOT).breaches()
    assert not breaches, "\n".join(["", *(breach.sentence for breach in breaches)])


def test_no_modules_import_one_another_in_a_circle() -> None:
    circles = [" and ".join(sorted(circle)) for circle in read_house(ROOT).module_circles()]
    assert not circles, f"{circles} import one another in a circle: move what they share below them"


def test_no_type_has_the_name_of_one_in_the_other_package() -> None:
    homes: dict[str, set[str]] = {}
    for module, source in read_house(ROOT).sources.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, set()).add(module)
    twice = {
        name: sorted(modules)
        for name, modules in homes.items()
        if len({module.split(".")[0] for module in modules}) > 1
    }
    assert not twice, f"one word, one meaning: give one of these another name: {twice}"


def test_a_room_is_taken_in_at_a_glance() -> None:
    for package in ("sweeper", "trainable"):
        for init in (ROOT / package).rglob("__init__.py"):
            entries = [e for e in init.parent.iterdir() if e.name not in LONE_FILES]
            kinds = Counter(
                e.suffix for e in entries if e.is_file() or (e / "__init__.py").exists()
            )
            assert kinds[".py"] <= MOST_MODULES, (
                f"{init.parent} has {kinds['.py']} modules: give those that belong together a room "
                "of their own, or join what is one thing"
            )
            assert kinds[""] <= MOST_ROOMS, f"{init.parent} has {kinds['']} rooms"


CALM = {
    "sweeper.errors": "import json\nfrom trainable.errors import UserError",
    "sweeper.commands.cli": "from sweeper.spec import sweep_spec",
    "sweeper.spec.__init__": "",
    "sweeper.spec.sweep_spec": "from sweeper import errors\nimport trainable.config",
    "sweeper.spec.reading.spec_file": "from sweeper.spec.sweep_spec import SweepSpec",
    "sweeper.plan.cost.probe": "def main():\n    from trainable.loop.training import Trainer",
    "sweeper.runtime.ray_tune.runner": "import ray",
    "sweeper.views.trackers.wandb_mirror": "def log():\n    import_module('wandb')",
    "sweeper.views.terminal.screen": "",
    "trainable.config": "from .errors import UserError",
    "trainable.errors": "",
    "trainable.loop.training": "from trainable.model import loss\nfrom trainable import config",
    "trainable.model.loss": "import torch",
}


def test_imports_that_run_down_are_well() -> None:
    assert House(CALM).breaches() == []
    assert House(CALM).module_circles() == []


@pytest.mark.parametrize(
    ("importer", "line", "told"),
    [
        (
            "sweeper.spec.sweep_spec",
            "from sweeper.plan.cost import probe",
            "the room sweeper.spec lies below sweeper.plan",
        ),
        (
            "sweeper.spec.sweep_spec",
            "def late():\n    from sweeper.commands.cli import main",
            "runs up",
        ),
        (
            "sweeper.spec.sweep_spec",
            "if TYPE_CHECKING:\n    import sweeper.spec.reading.spec_file",
            "the room sweeper.spec lies below sweeper.spec.reading",
        ),
        ("sweeper.spec.sweep_spec", "from ..plan.cost.probe import main", "runs up"),
        ("sweeper.spec.sweep_spec", "import_module('sweeper.plan.cost.probe')", "runs up"),
        ("trainable.errors", "from trainable import config", "runs up"),
        ("trainable.config", "from sweeper.errors import SpecError", "does not know who calls it"),
        (
            "sweeper.plan.cost.probe",
            "def late():\n    import ray.tune",
            "Ray is known in sweeper.runtime.ray_tune",
        ),
        ("trainable.config", "import ray", "Ray is known in"),
        ("trainable.config", "import wandb", "seconds to import"),
        ("sweeper.errors", "try:\n    import wandb\nfinally: ...", "seconds to import"),
        ("sweeper.errors", "def late():\n    import torch", "the driver does without"),
        ("sweeper.plan.cost.probe", "import torch", "the driver does without"),
        ("sweeper.errors", "from trainable.loop.training import Trainer", "that loads torch"),
    ],
)
def test_a_breach_is_told(importer: str, line: str, told: str) -> None:
    """Each with the module, the import, the reason and the remedy, in one sentence."""
    planted = House({**CALM, importer: f"{CALM[importer]}\n{line}"})
    [breach] = planted.breaches()
    assert told in breach.sentence
    assert breach.sentence.startswith(f"{importer.replace('.', '/')}.py:")
    assert f" imports {breach.imported}: " in breach.sentence
    assert any(word in breach.sentence for word in ("ove ", "hand it", "import it", "Do it"))


def test_rooms_of_one_floor_may_follow_one_another_but_not_in_a_circle() -> None:
    screen, tracker = "sweeper.views.report.page", "sweeper.views.trackers.wandb_mirror"
    one_way = {**CALM, screen: f"import {tracker}"}
    assert House(one_way).breaches() == []
    circle = House({**one_way, tracker: f"def late():\n    import {screen}"})
    assert {breach.importer for breach in circle.breaches()} == {screen, tracker}
    assert all("in a circle" in breach.sentence for breach in circle.breaches())
    assert circle.module_circles() == [{screen, tracker}]


def test_a_module_of_no_room_is_told() -> None:
    with pytest.raises(KeyError, match=r"sweeper\.helpers: the list of rooms .* does not know it"):
        room_of("sweeper.helpers")


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh process has after running `code`."""
    program = f"{code}\nimport sys; print('\\n'.join({{m.split('.')[0] for m in sys.modules}}))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        (
            "from sweeper.commands import acting, comparing, looking, mirroring, sweeping",
            {"ray", "torch", "wandb", "optuna", "scipy", "plotly"},
        ),
        (
            "import sweeper.commands.mirroring, sweeper.views.trackers.grafana",
            {"ray", "torch", "wandb", "optuna"},
        ),
        (
            "from sweeper.views.trackers import optuna_mirror, tensorboard_mirror",
            {"ray", "torch", "wandb"},
        ),
        ("import sweeper.record.run_folder, sweeper.record.journal", {"obstore"}),
        ("import sweeper.python_api", {"ray", "torch", "wandb", "optuna"}),
        (
            "from sweeper.runtime.ray_tune import runner, trial_actor",
            {"torch", "wandb"},
        ),
        (
            "import sweeper.commands.looking, sweeper.analysis.summary, sweeper.views.report",
            {"ray", "torch", "plotly", "matplotlib", "optuna", "scipy", "jinja2"},
        ),
        ("import trainable.loop.training, trainable.__main__", {"ray", "sweeper", "wandb"}),
        ("import trainable.config, trainable.loop.metrics, trainable.model.model_size", {"torch"}),
    ],
)
def test_imports_stay_within_their_bounds(code: str, forbidden: set[str]) -> None:
    breach = loaded_after(code) & forbidden
    assert not breach, (
        f"`{code}` now imports {breach}: the driver must start in a blink and the trainable must "
        "stand alone; import where it is used, or move the code to its side of the boundary"
    )
