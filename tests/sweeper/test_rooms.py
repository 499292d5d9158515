"""Who may import whom. A breach makes start-up slow, or ties the trainable to the service."""

import subprocess
import sys

import pytest


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
            "import sweeper.commands.cli, sweeper.running, sweeper.engine.sweep",
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
        ("import sweeper.python_api", {"ray", "torch", "wandb", "optuna"}),
        (
            "from sweeper.runtime.ray_tune import runner, trial_actor",
            {"torch", "wandb"},
        ),
        (
            "import sweeper.commands.cli, sweeper.analysis.summary, sweeper.views.report",
            {"ray", "torch", "plotly", "matplotlib", "optuna", "scipy", "jinja2"},
        ),
        ("import trainable.loop.training, trainable.__main__", {"ray", "sweeper", "wandb"}),
        ("import trainable.config, trainable.loop.report, trainable.model.model_size", {"torch"}),
    ],
)
def test_imports_stay_within_their_bounds(code: str, forbidden: set[str]) -> None:
    breach = loaded_after(code) & forbidden
    assert not breach, (
        f"`{code}` now imports {breach}: the driver must start in a blink and the trainable must "
        "stand alone; import where it is used, or move the code to its side of the boundary"
    )
