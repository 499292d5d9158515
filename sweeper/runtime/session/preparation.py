"""What a session is to do, checked as far as can be before Ray starts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console

from sweeper.corpus.builtin import prepare_default
from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.session.resuming import Resumption
from sweeper.engine.session.spending import require_unspent
from sweeper.engine.session.terms import SessionTerms
from sweeper.engine.warm_starting import Here, read_warm_start
from sweeper.plan.plan import Plan, check_configs, data_folder, make_plan
from sweeper.record.run_folder import RUNS, require_free_name
from sweeper.record.state.events import Fingerprint
from sweeper.record.state.sweep_state import SweepState
from sweeper.record.state.warm_start import WarmStart
from sweeper.record.watcher import Watcher
from sweeper.runtime.signals import Deadline
from sweeper.runtime.trial_loop import TRAINER
from sweeper.spec.operating.tracking import WandbMode
from sweeper.spec.reading.spec_file import load_spec
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.sweep_spec import SweepSpec
from sweeper.spec.trainer.config import ours
from sweeper.views.trackers.wandb_runs import require_login
from trainable.data.token_files import check_data


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a session runs; what the sweep is, its spec says."""

    runs: Path = RUNS
    wandb: WandbMode = "off"
    dashboard: bool = True
    verbose: bool = False
    watchers: tuple[Watcher, ...] = ()  # who else looks on
    trainer: str = TRAINER  # the class of our own loop; tests have one without weights
    owns_process: bool = False  # a signal may end the process before the sweep has begun
    # Of the process, once it is to end early. A command holds it until all is told.
    deadline: Deadline = field(default_factory=Deadline)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A session that can start: everything that can be checked without Ray has been, and nothing is
    written yet."""

    plan: Plan
    source: YamlSource
    session: SessionTerms
    warm_start: WarmStart | None
    state: SweepState | None = None  # of a sweep that goes on


def prepare_run(
    file: Path, console: Console, options: Options, name: str | None, overrides: Sequence[str]
) -> Prepared:
    """Check everything that can be checked before Ray starts.

    Raises:
        UserError: as in `run_file`.
    """
    spec, source = load_spec(file, overrides)
    if name is not None:
        require_free_name(options.runs, name)
    _require_login(options)
    plan = make_plan(spec, _data(spec, source, console), source)
    _check_tokens(plan)
    require_unspent(SweepState(plan.spec))
    fingerprint = take_fingerprint(plan.spec, options.trainer)
    return Prepared(
        plan=plan,
        source=source,
        warm_start=_read_warm_start(plan, source, options, fingerprint),
        session=SessionTerms(fingerprint=fingerprint),
    )


def prepare_resume(
    resumption: Resumption, session: SessionTerms, console: Console, options: Options
) -> Prepared:
    """The same of a sweep that goes on.

    Raises:
        UserError: as in `resume_sweep`.
    """
    plan, source = resumption.plan, resumption.source
    _require_login(options)
    _check_tokens(plan)
    for line in resumption.notes:
        console.print(line)
    # What the journal has is never read again: the other sweep may be gone.
    warm_start = resumption.state.warm_start or _read_warm_start(
        plan, source, options, session.fingerprint
    )
    return Prepared(
        plan=plan,
        source=source,
        session=session,
        warm_start=warm_start,
        state=resumption.state,
    )


def _data(spec: SweepSpec, source: YamlSource, console: Console) -> Path | None:
    """The folder that our trainer trains on; another one has its own."""
    if not spec.is_ours:
        return None
    if spec.data is None:
        check_configs(spec, source)  # before anything is made
        console.print("No `data:` in the file: training on Python's own standard library.")
        return prepare_default(console=console).resolve()
    return data_folder(spec.data, source, tell=partial(console.print, markup=False, soft_wrap=True))


def _require_login(options: Options) -> None:
    if options.wandb == "online":
        require_login("--wandb online")


def _check_tokens(plan: Plan) -> None:
    """Check the data once for each distinct demand on it: the data may be large."""
    configs = [ours(trial.config) for trial in plan.trials] if plan.spec.is_ours else []
    demands = {(config.vocab_size, config.context_length): config for config in configs}
    for config in demands.values():
        check_data(config)


def _read_warm_start(
    plan: Plan, source: YamlSource, options: Options, fingerprint: Fingerprint
) -> WarmStart | None:
    if plan.spec.search.from_run is None:
        return None
    here = Here(plan=plan, fingerprint=fingerprint)
    return read_warm_start(plan.spec, options.runs, source, here)
