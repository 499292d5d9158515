"""The commands that are offered run as they are printed."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sweeper.analysis.reading.loading import load
from sweeper.analysis.remarks.remark import Offer
from sweeper.analysis.remarks.remarking import offers_of, remarks_of
from sweeper.analysis.summary import Summary, summarise
from sweeper.plan.plan import make_plan
from sweeper.record.run_folder import create_run_folder
from sweeper.spec.reading.spec_file import load_spec
from sweeper.status import Status
from sweeper.views.prediction import next_sweeps
from tests.sweeper.commands.conftest import Sweeper, project, sweeper
from tests.sweeper.conftest import TINY
from tests.sweeper.in_process import drive

SIZES = {"small": {"num_layers": 1}, "large": {"num_layers": 4}}
FIFO = {"type": "fifo"}
__all__ = ["project", "sweeper"]  # fixtures


@pytest.fixture
def swept(project: Path, tokens_folder: Path) -> Any:
    """A finished sweep of closed-form trials: the best learning rate is 1e-3, at 0.5 they
    diverge."""

    def run(train: Mapping[str, Any] = {}, **sections: Any) -> Summary:
        own = {name: value for name, value in TINY.items() if name not in sections["space"]}
        document = {
            "name": "tiny",
            "data": str(tokens_folder),
            "train": own | train,
            "scheduler": FIFO,
            **sections,
        }
        path = project / "space.yaml"
        with path.open("w") as file:
            YAML().dump(document, file)
        spec, source = load_spec(path)
        plan = make_plan(spec, tokens_folder, source)
        folder = create_run_folder(Path("runs"), plan.spec, "lr", "space.yaml")
        drive(folder, plan)
        return summarise(load(folder))

    return run


def planned(sweeper: Sweeper, offer: Offer) -> str:
    """What `plan` says of the command that is offered for `run`."""
    python, _, package, command, *arguments = shlex.split(offer.command)
    if command == "resume":
        assert arguments == ["lr", "--finals"]
        return ""
    if command == "plan":
        said = sweeper(command, *arguments)
        assert said.code == 0, said.err
        return said.out
    assert (python, package, command) == ("python", "sweeper", "run")
    said = sweeper("plan", *arguments, "--no-probe")
    assert said.code == 0, said.err
    return said.out


SWEEPS: dict[str, dict[str, Any]] = {
    "edge": {"space": {"learning_rate": {"grid": [1e-5, 1e-4, 1e-3]}}},
    "edge of a range": {
        "space": {"learning_rate": {"loguniform": [1e-6, 1e-4]}},
        "search": {
            "algorithm": "random",
            "num_trials": 5,
            "initial": [{"learning_rate": 1e-4}],
        },
    },
    "edge of whole numbers": {
        "space": {"learning_rate": {"grid": [1e-5, 1e-4]}, "weight_decay": {"grid": [1, 2, 3]}},
    },
    "few": {"space": {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2]}}},
    "diverged": {"space": {"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 0.5]}}},
    "diverged far from the best": {
        "space": {"learning_rate": {"grid": [5e-4, 1e-3, 2e-3, 4e-3, 0.5, 0.9]}}
    },
    "short warmup of a range": {
        "space": {"warmup_steps": {"randint": [0, 14]}},
        "search": {"algorithm": "random", "num_trials": 8},
    },
    "sizes": {
        "space": {"size": {"grid": SIZES}, "learning_rate": {"grid": [5e-4, 1e-3, 2e-3, 4e-3]}}
    },
    "widths": {"space": {"num_layers": {"grid": [1, 4]}}},
    "no effect": {
        "space": {"learning_rate": {"grid": [5e-4, 1e-3]}, "weight_decay": {"grid": [0, 0.1]}},
        "seeds": [0, 1],
    },
    "no cooldown": {
        "space": {"learning_rate": {"grid": [5e-4, 1e-3, 2e-3, 4e-3]}},
        "train": {"warmup_steps": 15},
    },
    "short warmup": {"space": {"warmup_steps": {"grid": [0, 2, 10, 12]}}},
    "stopped in its warmup": {
        "space": {"learning_rate": {"grid": [5e-4, 1e-3, 2e-3, 4e-3]}},
        "train": {"warmup_steps": 10},
        "scheduler": {"type": "asha", "grace_steps": 4},
    },
    "model": {
        "space": {"learning_rate": {"grid": [1e-5, 1e-4, 1e-3]}},
        "search": {"algorithm": "model"},
    },
}


@pytest.mark.parametrize("sections", SWEEPS.values(), ids=SWEEPS)
def test_every_command_that_is_offered_can_be_planned(
    swept: Any, sweeper: Sweeper, sections: dict[str, Any]
) -> None:
    summary = swept(**sections)
    remarks = remarks_of(summary)
    offers = offers_of(summary, remarks)
    assert remarks, "there is a trap"
    assert all(remark.offer for remark in remarks), "each with its command"
    for offer in offers:
        planned(sweeper, offer)


def test_an_extended_grid_goes_on_from_the_old_one(swept: Any, sweeper: Sweeper) -> None:
    summary = swept(**SWEEPS["edge"])
    (offer,) = [remark.offer for remark in remarks_of(summary) if remark.kind == "edge"]
    assert "space.learning_rate.grid=[1e-05, 0.0001, 0.001, 0.01, 0.1]" in offer.command
    assert "search.from=" in offer.command
    assert "5 trials" in planned(sweeper, offer)


def test_the_edges_of_two_settings_are_one_sweep(swept: Any) -> None:
    space = {"learning_rate": {"grid": [1e-5, 1e-4, 1e-3]}, "weight_decay": {"grid": [1, 2, 3]}}
    remarks = {remark.kind: remark for remark in remarks_of(swept(space=space))}
    offer = remarks["edge"].offer
    assert offer is not None
    assert offer.purpose == "Extend learning_rate above and weight_decay below"
    assert "space.learning_rate.grid=[1e-05, 0.0001, 0.001, 0.01, 0.1]" in offer.command
    assert "space.weight_decay.grid=[0, 1, 2, 3]" in offer.command


def test_what_failed_is_tried_again_by_resume(project: Path, tiny_plan: Any) -> None:
    plan = tiny_plan(scheduler=FIFO)
    folder = create_run_folder(Path("runs"), plan.spec, "lr", "space.yaml")
    drive(folder, plan, fault=lambda trial, step: "ends" if trial.trial_id == "0001" else None)
    remarks = {remark.kind: remark for remark in remarks_of(summarise(load(folder)))}
    offer = remarks["failed"].offer
    assert offer is not None
    assert offer.command == "python -m sweeper resume lr --retry-failed"
    assert remarks["failed"].text.startswith("1 of 4 failed, at learning_rate")


def test_it_is_said_where_training_diverges(swept: Any) -> None:
    space = {"learning_rate": {"grid": [1e-3, 0.5, 0.7, 0.9]}}
    remarks = {remark.kind: remark.text for remark in remarks_of(swept(space=space))}
    assert remarks["diverged"].startswith(
        "3 of 4 diverged, all at learning_rate 0.5 and above; at 0.001 and below none did: "
    )


def test_an_edge_that_is_not_clean_is_said_to_be_none(swept: Any) -> None:
    """One of two seeds diverges in the middle, and one trial below it."""
    summary = swept(space={"learning_rate": {"grid": [1e-4, 1e-3, 1e-2, 2e-2]}}, seeds=[0, 1])
    lost = {("0.001", 0), ("0.02", 0), ("0.02", 1)}
    trials = [
        replace(t, status=Status.DIVERGED)
        if (f"{t.point['learning_rate']:g}", t.seed) in lost
        else t
        for t in summary.sweep.trials
    ]
    sweep = replace(summary.sweep, trials=tuple(trials))
    remarks = {remark.kind: remark.text for remark in remarks_of(summarise(sweep))}
    assert remarks["diverged"].startswith("3 of 8 diverged: "), "3 of the 5 others are at 0.001 up"


def test_the_best_of_each_size_is_run_with_more_seeds(swept: Any, sweeper: Sweeper) -> None:
    summary = swept(**SWEEPS["sizes"])
    offers = offers_of(summary, remarks_of(summary))
    (offer,) = [offer for offer in offers if "seeds" in offer.purpose]
    assert offer.purpose == "Run the best of each size with 3 seeds, to their ends"
    assert "6 trials" in planned(sweeper, offer)


def test_of_two_sizes_it_is_said_which_would_tell_what_a_larger_model_wants(
    swept: Any, sweeper: Sweeper
) -> None:
    summary = swept(**SWEEPS["sizes"], train={"d_model": 64, "max_steps": 4000, "d_ff": 64})
    offer = next_sweeps(summary, remarks_of(summary))[-1]
    assert offer.purpose.startswith("See which sizes would tell")
    assert "octaves (80 %)" in planned(sweeper, offer)


def test_a_size_at_the_edge_is_named_though_another_is_the_best(swept: Any) -> None:
    summary = swept(
        space={"size": {"grid": SIZES}, "learning_rate": {"grid": [2e-4, 5e-4, 1e-3, 2e-3]}}
    )
    sweep = summary.sweep
    trials = [
        replace(t, evaluations=tuple(replace(e, value=9 - t.point["learning_rate"])
                                     for e in t.evaluations))
        if t.point["size"] == "small" else t
        for t in sweep.trials
    ]  # fmt: skip
    told = remarks_of(summarise(replace(sweep, trials=tuple(trials))))
    assert any("for small lies at the edge" in remark.text for remark in told)


def test_names_that_a_shell_would_break_are_quoted(
    swept: Any, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    there = project / "my runs"
    there.mkdir()
    monkeypatch.chdir(there)
    summary = swept(**SWEEPS["few"])
    assert math.isfinite(summary.points[0].mean)
    for offer in offers_of(summary, remarks_of(summary)):
        planned(sweeper, offer)
