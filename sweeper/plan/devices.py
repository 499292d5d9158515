"""Refuses devices that a trial cannot have, before anything starts rather than in each trial.

These are the rules of our own training loop. A trainer that the user has named has its own.
"""

import os
from collections.abc import Iterator

from sweeper.errors import ResourceError, SpecError
from sweeper.plan.placement import case_of, share_of, stated_at
from sweeper.plan.plan import Plan, stated_problem
from sweeper.spec.domains.domain import Domain
from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.ranges import Range
from sweeper.spec.domains.values import Scalar
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.sweep_spec import ResourceCase, Resources
from sweeper.spec.trainer.config import ours
from trainable.errors import ConfigError, DeviceError
from trainable.loop.device_check import require_usable

GIVEN_GPU = ("cuda", "cuda:0")  # Ray shows a trial nothing but the GPU that it gives to it


def require_devices(plan: Plan, source: YamlSource) -> None:
    """Refuse what can be refused before Ray starts. If the trials would be on a cluster that runs
    already, its machines cannot be asked.

    Raises:
        SpecError: no trial can have the device, or none on this machine; or its processes cannot
            divide its batch, or one that may be suggested.
        ResourceError: as in `require_gpus`, or its processes have not a CPU each.
    """
    resources = plan.spec.resources
    if resources != "auto":
        require_gpus(plan, resources, source)
        if plan.has_stand_ins or plan.spec.scheduler.type == "pbt":
            _require_divided(plan, resources, source)
        _require_processes(plan, resources, source)
    first_with = {ours(trial.config).device: trial for trial in reversed(plan.trials)}
    for device, trial in first_with.items():
        try:
            if device.startswith("cuda") and device not in GIVEN_GPU:
                problem = f"a trial sees only the GPU that it is given; write cuda, got {device}"
                raise ConfigError("device", problem)
            if "RAY_ADDRESS" not in os.environ:
                require_usable(device)
        except DeviceError as error:
            named = ConfigError("device", str(error).removeprefix("device: "))
            raise SpecError([stated_problem(named, plan.spec, trial.values, source)]) from None
        except ConfigError as error:
            raise SpecError([stated_problem(error, plan.spec, trial.values, source)]) from None


def require_gpus(plan: Plan, resources: Resources, source: YamlSource) -> None:
    """Refuse GPUs that a trial could not use: each of its processes trains on one, or none does.

    Raises:
        ResourceError: it would get more or fewer, or none although its `device` is a GPU.
        SpecError: its `device` is a GPU, and there is none to give.
    """
    for trial in plan.trials:
        device = ours(trial.config).device
        case = case_of(resources, trial.values)
        share = share_of(resources, case)
        if not share.fits_gpus:
            problem = (
                "each has a GPU of its own, or none has one: with gpu: "
                f"{share.gpu:g} there can be {max(1, int(share.gpu))}, got {share.processes}"
            )
            raise ResourceError(source.problem(stated_at(resources, case, "processes"), problem))
        if share.gpu == 0 and device in GIVEN_GPU:
            if plan.spec.resources == "auto":
                error = ConfigError("device", "no machine here has a GPU; use cpu")
                raise SpecError([stated_problem(error, plan.spec, trial.values, source)])
            problem = (
                f"must be above 0 for a trial of device: {device}, got 0; set it to "
                "1, or train on the cpu"
            )
            raise ResourceError(source.problem(stated_at(resources, case, "gpu"), problem))


def _require_processes(plan: Plan, resources: Resources, source: YamlSource) -> None:
    for trial in plan.trials:
        case = case_of(resources, trial.values)
        share = share_of(resources, case)
        try:
            ours(trial.config).rows_a_process(share.processes)
        except ConfigError as error:
            raise SpecError([stated_problem(error, plan.spec, trial.values, source)]) from None
        if share.gpu == 0 and share.processes > max(1, share.cpu):
            problem = f"must be at least {share.processes}, one for each process, got {share.cpu:g}"
            raise ResourceError(source.problem(stated_at(resources, case, "cpu"), problem))


def _require_divided(plan: Plan, resources: Resources, source: YamlSource) -> None:
    """Refuse batches that a search may suggest, of which the trials planned have but some."""
    for key, domain in plan.spec.space.items():
        if "batch_size" not in domain.sets(key):
            continue
        for value, batch_size in _batch_sizes(key, domain):
            for case in _possible_cases(resources, key, value):
                processes = share_of(resources, case).processes
                if processes > 1 and (batch_size is None or batch_size % processes):
                    got = "a range" if batch_size is None else f"{batch_size}"
                    problem = (
                        f"batch_size must be a multiple of {processes}, the processes that share a "
                        f"batch, got {got}; list those that are"
                    )
                    raise SpecError([source.problem(("space", key), problem)])


def _batch_sizes(key: str, domain: Domain) -> Iterator[tuple[Scalar, int | None]]:
    """The values, and the batch that each means; None: any whole number."""
    if isinstance(domain, Grid | Choice):
        for value in domain.values():
            batch_size = domain.meaning(key, value).get("batch_size")
            if isinstance(batch_size, int | float):
                yield value, int(batch_size)
    elif isinstance(domain, Range) and domain.step is not None:
        low = int(domain.bounds()[0])
        yield from ((number, number) for number in (low, low + int(domain.step)))
    else:
        yield "", None


def _possible_cases(resources: Resources, key: str, value: Scalar) -> Iterator[ResourceCase | None]:
    """Those that may hold where `key` has this value; None: none does."""
    for case in resources.cases:
        if value in case.when.get(key, [value]):
            yield case
            if case.when.keys() == {key}:
                return
    yield None
