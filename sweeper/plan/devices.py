"""Refuses devices that a trial cannot have, before anything starts rather than in each trial.

These are the rules of our own training loop. A trainer that the user has named has its own.
"""

import os

from sweeper.errors import ResourceError, SpecError
from sweeper.plan.placement import case_of, share_of, stated_at, stated_share
from sweeper.plan.plan import Plan, stated_problem
from sweeper.spec.reading.yaml_source import YamlSource
from sweeper.spec.sweep_spec import Resources
from sweeper.spec.trainer.config import ours
from trainable.errors import ConfigError, DeviceError
from trainable.loop.device_check import require_usable

GIVEN_GPU = ("cuda", "cuda:0")  # Ray shows a trial nothing but the GPU that it gives to it


def require_devices(plan: Plan, source: YamlSource) -> None:
    """Refuse what can be refused before Ray starts. If the trials would be on a cluster that runs
    already, its machines cannot be asked.

    Raises:
        SpecError: no trial can have the device, or none on this machine; or its processes cannot
            divide its batch.
        ResourceError: as in `require_gpus`.
    """
    resources = plan.spec.resources
    if resources != "auto":
        require_gpus(plan, resources, source)
        _require_divided(plan, resources, source)
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


def _require_divided(plan: Plan, resources: Resources, source: YamlSource) -> None:
    for trial in plan.trials:
        try:
            share = stated_share(resources, trial.values)
            ours(trial.config).rows_a_process(share.processes)
        except ConfigError as error:
            raise SpecError([stated_problem(error, plan.spec, trial.values, source)]) from None
