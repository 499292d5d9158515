"""Refuses devices that a trial cannot have, before anything starts rather than in each trial.

These are the rules of our own training loop. A trainer that the user has named has its own.
"""

import os

from sweeper.errors import ResourceError, SpecError
from sweeper.plan.placement import case_of, share_of, stated_at
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
        SpecError: no trial can have the device, or none on this machine.
        ResourceError: as in `require_gpus`.
    """
    resources = plan.spec.resources
    if resources != "auto":
        require_gpus(plan, resources, source)
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
    """Refuse GPUs that a trial could not use: it trains on the one GPU that it gets, or on none.

    Raises:
        ResourceError: it would get several, or none although its `device` is a GPU.
        SpecError: its `device` is a GPU, and there is none to give.
    """
    for trial in plan.trials:
        device = ours(trial.config).device
        case = case_of(resources, trial.values)
        gpu = share_of(resources, case).gpu
        place = stated_at(resources, case, "gpu")
        if gpu > 1:
            problem = (
                f"a trial trains on one GPU and would leave the others idle, got {gpu:g}; with 1 "
                "as many trials as there are GPUs run at the same time"
            )
            raise ResourceError(source.problem(place, problem))
        if gpu == 0 and device in GIVEN_GPU:
            if plan.spec.resources == "auto":
                error = ConfigError("device", "no machine here has a GPU; use cpu")
                raise SpecError([stated_problem(error, plan.spec, trial.values, source)])
            problem = (
                f"must be above 0 for a trial of device: {device}, got 0; set it to "
                "1, or train on the cpu"
            )
            raise ResourceError(source.problem(place, problem))
