"""What is wrong with a file that the schema cannot see: sections that do not go together."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self, TypeVar

from pydantic import TypeAdapter, ValidationError

from sweeper.spec.constraints import Constraint
from sweeper.spec.reading.names import setting_hint
from sweeper.spec.reading.search_problems import initial_problems, search_problems
from sweeper.spec.reading.space_problems import (
    condition_problems,
    derived_problems,
    option_problems,
    setting_problems,
    space_problems,
)
from sweeper.spec.reading.trainer_problems import (
    demand_problems,
    metric_problems,
    trainer_problems,
)
from sweeper.spec.reading.yaml_source import KeyPath, Plain, Problem
from sweeper.spec.scheduler_spec import (
    GRACE_KEYS,
    AnySchedulerSpec,
    AshaSpec,
    GraceSpec,
    PbtSpec,
)
from sweeper.spec.space import AnyDomain
from sweeper.spec.sweep_spec import FinalsSpec, Resources, Search, Seeds, SweepSpec
from sweeper.spec.train_settings import Derived, Stated
from sweeper.spec.trainer.section import AnyTrainerSpec, TrainerSpec
from sweeper.spec.trainer.settings import KnownSettings, known_settings

Key = TypeVar("Key", str, int)


@dataclass(frozen=True, kw_only=True)
class Sections:
    """The sections of a file that fit the schema; None for one that does not fit or is missing."""

    trainer: TrainerSpec | None
    known: KnownSettings | None  # of the trainer; None: it has a section that does not fit
    metric: str | None  # of the objective
    train: Mapping[str, object]  # also what does not fit, as it is stated
    space: Mapping[str, AnyDomain]
    swept_names: set[str]  # also those whose domain does not fit
    constraints: Mapping[int, Constraint]  # by their place in the list
    seeds: list[int] | None
    finals: FinalsSpec | None
    search: Search | None
    scheduler: AnySchedulerSpec | None
    resources: Resources | None
    has_budget: bool  # for checkpoints
    has_data: bool

    @classmethod
    def of(cls, spec: SweepSpec) -> Self:
        """Those of a file that fits it as a whole."""
        return cls(
            trainer=spec.trainer,
            known=spec.known,
            metric=spec.objective.metric,
            train=spec.train,
            space=spec.space,
            swept_names=set(spec.space),
            constraints=dict(enumerate(spec.constraints)),
            seeds=spec.seeds,
            finals=spec.finals,
            search=spec.search,
            scheduler=spec.scheduler,
            resources=spec.resources if isinstance(spec.resources, Resources) else None,
            has_budget=spec.checkpoints.budget is not None,
            has_data=spec.data is not None,
        )

    @classmethod
    def fitting(cls, data: Mapping[str, Plain]) -> Self:
        """Those of one that does not."""
        train, space = mapping(data.get("train")), mapping(data.get("space"))
        stated = data.get("constraints")
        trainer = _fitting(AnyTrainerSpec, data.get("trainer"))
        metric = mapping(data.get("objective")).get("metric")
        fits = trainer is not None or data.get("trainer") is None
        return cls(
            trainer=trainer,
            known=known_settings(trainer) if fits else None,
            metric=metric if isinstance(metric, str) else None,
            train=train | _all_fitting(Stated, train),
            space=_all_fitting(AnyDomain, space),
            swept_names=set(space),
            constraints=_all_fitting(
                Constraint, dict(enumerate(stated if isinstance(stated, list) else []))
            ),
            seeds=_fitting(Seeds, data.get("seeds")),
            finals=_fitting(FinalsSpec, data.get("finals")),
            search=_fitting(Search, data.get("search", {})),
            scheduler=_fitting(AnySchedulerSpec, data.get("scheduler")),
            resources=_fitting(Resources, data.get("resources", {})),
            has_budget=mapping(data.get("checkpoints")).get("budget") is not None,
            has_data=data.get("data") is not None,
        )


def mapping(value: Plain) -> dict[str, Plain]:
    return value if isinstance(value, dict) else {}


def _all_fitting(kind: Any, stated: Mapping[Key, Plain]) -> dict[Key, Any]:
    found = {key: _fitting(kind, value) for key, value in stated.items()}
    return {key: value for key, value in found.items() if value is not None}


_adapter = cache(TypeAdapter)  # takes longer to make than to use


def _fitting(kind: Any, value: Plain) -> Any:
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError:
        return None


def section_problems(sections: Sections) -> list[Problem]:
    train, space, names = sections.train, sections.space, sections.swept_names
    problems = [*condition_problems(space, names)]
    if (known := sections.known) is not None:
        problems += setting_problems(known, train, space)
        problems += derived_problems(known, train)
        problems += space_problems(known, train, space)
        problems += _constraint_problems(known, sections.constraints)
        problems += _trainer_problems(sections, known)
    if sections.resources is not None:
        problems += _case_problems(sections.resources, space, names)
    if sections.seeds is not None:
        problems += _seeds_problems(train, space)
    if sections.finals is not None:
        problems += _finals_problems(space, sections.scheduler)
    if isinstance(sections.scheduler, GraceSpec):
        problems += _grace_problems(sections.scheduler, sections)
    if isinstance(sections.scheduler, AshaSpec):
        problems += _comparison_problems(sections.scheduler)
    if isinstance(sections.scheduler, PbtSpec):
        problems += _pbt_problems(sections)
    if (search := sections.search) is not None:
        problems += search_problems(search, space, len(sections.seeds or [0]))
        in_space = any(key_path[0] == "space" for key_path, _ in problems)
        if known is not None and names == set(space) and not in_space:
            problems += initial_problems(search, space, known)
    return problems


def _case_problems(
    resources: Resources, space: Mapping[str, AnyDomain], stated: set[str]
) -> list[Problem]:
    """A case must name values that swept names can take, and state what is different for them."""
    problems: list[Problem] = []
    for index, case in enumerate(resources.cases):
        at = ("resources", "cases", index)
        problems += option_problems((*at, "when"), case.when, space, stated)
        if case.cpu is None and case.gpu is None and case.processes is None:
            problems.append((at, "must say what is other there, as {gpu: 1}"))
    return problems


def processes_problems(resources: Resources) -> list[Problem]:
    """Where they are stated, although the trainer is not ours."""
    stated: dict[KeyPath, int | None] = {("resources", "processes"): resources.processes}
    for index, case in enumerate(resources.cases):
        stated["resources", "cases", index, "processes"] = case.processes
    told = "is for our own trainer; another starts its own, one for each of {num_gpus}; remove it"
    return [(at, told) for at, number in stated.items() if number is not None]


def _trainer_problems(sections: Sections, known: KnownSettings) -> list[Problem]:
    problems: list[Problem] = []
    if (trainer := sections.trainer) is not None:
        seeds, finals = sections.seeds is not None, sections.finals is not None
        problems += trainer_problems(trainer, known, seeds, finals)
        problems += demand_problems(trainer, sections.space, sections.scheduler)
        if sections.has_data:
            told = "is for our own trainer; name them in trainer.command, and remove it"
            problems.append((("data",), told))
        problems += processes_problems(sections.resources or Resources())
    if sections.metric is not None:
        problems += metric_problems(sections.metric, trainer)
    return problems


def _constraint_problems(
    known: KnownSettings, constraints: Mapping[int, Constraint]
) -> list[Problem]:
    """An operand may only name a training setting that is a number."""
    problems: list[Problem] = []
    for index, constraint in constraints.items():
        for relation, place, name in constraint.operands():
            key_path = ("constraints", index, relation, place)
            if not isinstance(name, str):
                continue
            if name not in known:
                problems.append(
                    (key_path, f"no training setting {name!r}{setting_hint(name, known)}")
                )
            elif not known.is_number(name) or name == "seed":
                problems.append((key_path, f"{name} cannot be constrained, only other numbers"))
    return problems


def _seeds_problems(train: Mapping[str, object], space: Mapping[str, AnyDomain]) -> list[Problem]:
    places = [f"space.{key}" for key, domain in space.items() if "seed" in domain.sets(key)]
    places += ["train.seed"] if "seed" in train else []
    return [(("seeds",), f"{place} sets the seed already; remove one") for place in places]


def _finals_problems(
    space: Mapping[str, AnyDomain], scheduler: AnySchedulerSpec | None
) -> list[Problem]:
    """The finals run a point again with other seeds, which has to mean something."""
    problems: list[Problem] = [
        (("finals",), f"space.{key} sets the seed, so no point has others; remove one")
        for key, domain in space.items()
        if "seed" in domain.sets(key)
    ]
    if isinstance(scheduler, PbtSpec):
        problem = "under pbt trials change their values as they run, so none can run again"
        problems.append((("finals",), f"{problem}; remove it, or set scheduler: {{type: fifo}}"))
    return problems


def _grace_problems(scheduler: GraceSpec, sections: Sections) -> list[Problem]:
    """The first rung must be stated in the units of the clock; in steps only where the default
    would not be one for all trials."""
    problems: list[Problem] = []
    for clock, key in GRACE_KEYS.items():
        stated = getattr(scheduler, key) is not None
        if clock == scheduler.clock and not stated:
            if clock != "step":
                problems.append((("scheduler", key), f"is required with clock: {clock}"))
            elif (swept := _swept_rhythm(scheduler, sections)) is not None:
                problems.append((("scheduler", key), f"is required where {swept} is swept"))
        elif clock != scheduler.clock and stated:
            remedy = f"set clock: {clock}, or state {scheduler.grace_key}"
            problems.append((("scheduler", key), f"the clock is {scheduler.clock}; {remedy}"))
    return problems


def _swept_rhythm(scheduler: GraceSpec, sections: Sections) -> str | None:
    """A setting that decides where trials can be judged, or that one is derived from, and that is
    not the same for all."""
    swept = set(sections.space).union(*(d.sets(key) for key, d in sections.space.items()))
    saved = ["checkpoint_every_steps"] if scheduler.pauses else []
    for name in ["max_steps", "eval_every_steps", *saved]:
        seen = set[str]()
        while name not in seen and name not in swept:
            seen.add(name)
            formula = sections.train.get(name)
            name = formula.of if isinstance(formula, Derived) else name
        if name in swept:
            return name
    return None


def _comparison_problems(scheduler: AshaSpec) -> list[Problem]:
    problems: list[Problem] = []
    if scheduler.compare == "loss" and scheduler.alpha is not None:
        problem = "is for compare: forecast; set that, or remove it"
        problems.append((("scheduler", "alpha"), problem))
    if scheduler.compare == "forecast" and scheduler.brackets != 1:
        problem = "with compare: forecast all trials are compared with one another; remove it"
        problems.append((("scheduler", "brackets"), problem))
    return problems


def _pbt_problems(sections: Sections) -> list[Problem]:
    """Under pbt the values of a trial change while it runs, which not every setting allows."""
    free = sections.known.in_mid_run if sections.known is not None else ()
    problems: list[Problem] = []
    for key, domain in sections.space.items():
        if fixed := sorted(domain.sets(key) - {*free}):
            problem = f"{fixed[0]} cannot change in a run, as pbt wants; it can sweep: "
            problems.append((("space", key), problem + ", ".join(free)))
        if domain.when is not None:
            problems.append((("space", key, "when"), "pbt cannot sweep on conditions; remove it"))
    if sections.seeds is not None:
        problems.append((("seeds",), "pbt compares the trials of one seed; set train.seed"))
    if sections.search is not None and sections.search.algorithm not in ("grid", "random"):
        problem = "pbt changes the values that were suggested; use grid or random"
        problems.append((("search", "algorithm"), problem))
    if sections.search is not None and sections.search.from_run is not None:
        problem = "under pbt a trial takes values on its way, so none of another sweep is the same"
        problems.append((("search", "from"), f"{problem}; remove it"))
    if sections.has_budget:
        problem = "pbt needs the checkpoint of every trial that is paused; remove it"
        problems.append((("checkpoints", "budget"), problem))
    return problems
