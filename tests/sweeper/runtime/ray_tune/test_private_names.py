"""Every private name of Ray and of Optuna that we touch, and what it is for: what a new version of
them is to be looked through for, beside running the tests.

Private is what has an underscore in its path, and all of a module that Ray's reference does not
have. The list is compared with what the code does, in both directions.
"""

import ast
import functools
import importlib
import inspect
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from sweeper.runtime.ray_jobs import client
from sweeper.runtime.ray_tune import adapters, controller

ROOT = Path(__file__).parents[4]
BOUNDARY = [ROOT / "sweeper" / "runtime" / name for name in ("ray_tune", "ray_jobs")]
PUBLIC = {
    "ray",
    "ray.exceptions",
    "ray.job_submission",
    "ray.tune",
    "ray.tune.schedulers",
    "ray.tune.search",
    "ray.util.metrics",
    "ray.util.scheduling_strategies",
}

IMPORTED = {"_private", "_raylet", "_internal"}  # modules, which the imports tell of

PRIVATE = {
    # The controller: Tune's loop, with the failure of a trial costing that trial only.
    "ray.tune.tune": "where `tune.run` looks its controller up: ours is put in its place",
    "ray.tune.execution.tune_controller.TuneController": "Tune's loop, which ours changes",
    "TuneController._process_trial_failure": "where all failures come by: handed to `Faults`",
    "TuneController._cached_trial_decisions": "what was decided ends with the attempt",
    "TuneController._queued_trial_decisions": "what was decided ends with the attempt",
    "TuneController._staged_trials": "a failed trial leaves its place in the queue",
    "TuneController._unstage_trial_with_resources": "a failed trial leaves its place in the queue",
    "TuneController._resetting_trials": "whether a failed trial had a process of its own yet",
    "TuneController._schedule_trial_stop": "a failed attempt ends for Tune",
    "TuneController._search_alg": "told that an attempt failed, and that a signal ends it all",
    "TuneController._actor_cache": "keeps an idle process for each slot, not one only",
    "TuneController._cleanup_cached_actors": "ends idle processes while others wait for their CPUs",
    "TuneController._maybe_reuse_cached_actor": "waits for a process that is to start",
    "TuneController._trial_to_actor": "which process is to start for a trial",
    "TuneController._update_trial_queue": "never blocks while trials wait for another attempt",
    "TuneController._actor_to_trial": "which process has which trial: who is silent, who is lost",
    # The actors.
    "TuneController._actor_manager": "replaced by one that takes every end of an actor",
    "ray.air.execution._internal.RayActorManager": "the base of that one",
    "ray.air.execution._internal.TrackedActor": "the type of what it counts",
    "ray.air.execution.PlacementGroupResourceManager": "what an actor manager is made with",
    "RayActorManager._actor_task_failed": "where Ray aborts the experiment on what it knows not",
    "RayActorManager._live_actors_to_ray_actors_resources": "the handles, to kill what is silent",
    "ray._private.state.state": "the table of actors: on which node one is, or died; which nodes "
    "are about to go",
    "ray._raylet": "`setproctitle`, as what people see a trial in `ps`; done without if missing",
    # Trials.
    "ray.tune.experiment.Experiment": "type of what Tune hands a search",
    "ray.tune.experiment.Trial": "made by our search: with our ids, folders and checkpoints",
    "ray.train._internal.storage._VALIDATE_STORAGE_MARKER_FILENAME": "the file by which Tune knows "
    "a disk that all share: made on each node where a bucket is that",
    "ray.tune.result.SHOULD_CHECKPOINT": "the key that asks Tune for a checkpoint",
    "SearchAlgorithm._finished": "whether Tune has told the search to end",
    "ray.scripts.scripts": "the command for the dashboard's token, where no `ray` is on the path",
    # Jobs.
    "JobSubmissionClient._do_request": "with a timeout: a silent dashboard would hold us for ever",
}
IN_TESTS = {
    "ray.cluster_utils.Cluster": "clusters of several nodes on one machine, whose nodes can die",
    "ray._raylet.Config": "what a driver that is forked reads of its environment",
    "ray._private.services.find_gcs_addresses": "that no other cluster is looked for",
    "ray._private.services.find_bootstrap_address": "that none noted earlier is joined",
    "ray.tune.schedulers.pbt._explore": "Tune's own exploring, which ours equals",
}

# Optuna's tables, which SQLAlchemy (Optuna brings it) writes many rows to at once.
MODELS = "optuna.storages._rdb.models"
OF_OPTUNA = {
    f"{MODELS}.TrialModel": "the trials of a study, each with its number and state",
    f"{MODELS}.TrialParamModel": "their parameters",
    f"{MODELS}.TrialValueModel": "their values, with how a number that is not finite is kept",
    f"{MODELS}.TrialIntermediateValueModel": "their curves, likewise",
    f"{MODELS}.TrialUserAttributeModel": "what else is known of them",
    "optuna.storages.RDBStorage.engine": "SQLAlchemy's connection to the database",
}

BY_NAME = re.compile(r"\bray(?:\.\w+)+")  # in a string: a command, or what a test replaces


def is_public(path: str) -> bool:
    """Of a name that is imported from a module."""
    module, _, name = path.rpartition(".")
    return path in PUBLIC or (module in PUBLIC and not name.startswith("_"))


def reached(source: str) -> set[str]:
    """The private names of Ray that are imported, or named in a string that is nothing else."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names} - PUBLIC
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name for name in full if not is_public(name)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            full = {word for word in node.value.split() if BY_NAME.fullmatch(word)}
            names |= {name for name in full if not is_public(name)}
    return {name for name in names if name.startswith("ray.")}


@functools.cache
def underscored(kind: type) -> set[str]:
    try:
        source = inspect.getsource(kind)
    except OSError:  # `Checkpoint`, which Ray has renamed since it was made
        source = ""
    return set(re.findall(r"(?:self\.|def )(_[a-z]\w*)", source)) | set(vars(kind))


def underscored_in_ray(classes: Iterable[object]) -> dict[str, str]:
    """The underscored names of classes of Ray, each with the class that has it."""
    found: dict[str, str] = {}
    for kind in classes:
        for base in inspect.getmro(kind) if inspect.isclass(kind) else ():
            if base.__module__.startswith("ray."):
                for name in underscored(base):
                    found.setdefault(name, base.__name__)
    return found


def touched(source: str, module: object) -> set[str]:
    """The underscored names of Ray's classes that a module uses or overrides: within a class of
    ours on itself, those of its bases; on other objects, those of any class that it knows."""
    known, names = underscored_in_ray(vars(module).values()), set[str]()
    tree = ast.parse(source)
    own = {node.attr for node in ast.walk(tree) if of_itself(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not re.match("_[a-z]", node.attr):
            continue
        if not of_itself(node) and node.attr not in own | IMPORTED:
            names.add(f"{known.get(node.attr, '?')}.{node.attr}")
    for kind in tree.body:
        if isinstance(kind, ast.ClassDef):
            theirs = underscored_in_ray([getattr(module, kind.name)])
            for node in ast.walk(kind):
                name = node.name if isinstance(node, ast.FunctionDef) else None
                if isinstance(node, ast.Attribute) and of_itself(node):
                    name = node.attr
                if name in theirs and re.match("_[a-z]", name):
                    names.add(f"{theirs[name]}.{name}")
    return names


def of_itself(node: ast.AST) -> bool:
    """Whether this is `self.name` or `super().name`."""
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"self", "super()"}


def in_the_boundary() -> set[str]:
    names: set[str] = set()
    for file in (file for folder in BOUNDARY for file in folder.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        path = file.relative_to(ROOT).with_suffix("")
        module = importlib.import_module(".".join(path.parts).removesuffix(".__init__"))
        names |= reached(source) | touched(source, module)
    return names


def test_the_list_is_what_the_code_touches() -> None:
    found = in_the_boundary()
    assert sorted(found - PRIVATE.keys()) == [], "not on the list: say there what it is for"
    assert sorted(PRIVATE.keys() - found) == [], "on the list, and not touched any more"


def test_the_list_is_what_the_tests_touch() -> None:
    files = (ROOT / "tests" / "sweeper").rglob("*.py")
    found = {
        n for f in files if f != Path(__file__) for n in reached(f.read_text(encoding="utf-8"))
    }
    assert found - PRIVATE.keys() == IN_TESTS.keys()


@pytest.mark.parametrize("name", sorted(PRIVATE | IN_TESTS))
def test_the_installed_ray_has_it(name: str) -> None:
    if not name.startswith("ray."):
        kind, _, attribute = name.partition(".")
        known = (vars(c) for c in (controller, adapters, client))
        classes = [v for names in known for v in names.values() if inspect.isclass(v)]
        assert underscored_in_ray(classes).get(attribute) == kind
        return
    module, _, attribute = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        assert hasattr(importlib.import_module(module), attribute)


def of_optuna(source: str) -> set[str]:
    """The names of modules of Optuna with an underscore in their path, and of its engine."""
    names: set[str] = set()
    modules: dict[str, str] = {}  # as they are called in this source
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("optuna"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if re.search(r"\._", full):
                    modules[alias.asname or alias.name] = full
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in modules:
                names.add(f"{modules[node.value.id]}.{node.attr}")
            elif node.attr == "engine":
                names.add("optuna.storages.RDBStorage.engine")
    used = {name.rpartition(".")[0] for name in names}
    return names | (set(modules.values()) - used)  # a class, say, that is imported itself


def test_the_list_is_what_is_touched_of_optuna() -> None:
    files = (ROOT / "sweeper").rglob("*.py")
    found = {name for file in files for name in of_optuna(file.read_text(encoding="utf-8"))}
    assert found == OF_OPTUNA.keys()


@pytest.mark.parametrize("name", sorted(OF_OPTUNA))
def test_the_installed_optuna_has_it(name: str) -> None:
    if name.startswith(MODELS):
        assert hasattr(importlib.import_module(MODELS), name.rpartition(".")[2])
    else:
        optuna = importlib.import_module("optuna")
        assert optuna.storages.RDBStorage("sqlite://").engine.dialect.name == "sqlite"


PROBE = """
import ray.tune.execution.placement_groups, ray.tune.tuner
from ray._private import worker
from ray.tune import Callback, _secret
class SweepController:
    def _actor_started(self, tracked): return self._trials, self.own, self._mine
    def _mine(self): return tracked._nobody_knows, self._actor_manager._actor_state_events
COMMAND = "python -m ray.scripts.scripts"
"""


OPTUNA_PROBE = """
from optuna.storages._rdb import models
from optuna._hypervolume import wfg
from optuna.trial import FrozenTrial
models.StudyModel, storage.engine
"""


def test_the_scan_sees_each_way_to_touch_one() -> None:
    assert of_optuna(OPTUNA_PROBE) == {
        f"{MODELS}.StudyModel", "optuna._hypervolume.wfg", "optuna.storages.RDBStorage.engine",
    }  # fmt: skip
    assert reached(PROBE) == {
        "ray.tune.execution.placement_groups",
        "ray.tune.tuner",
        "ray._private.worker",
        "ray.tune._secret",
        "ray.scripts.scripts",
    }
    assert touched(PROBE, controller) == {
        "TuneController._actor_started",
        "TuneController._trials",
        "?._nobody_knows",
        "TuneController._actor_manager",
        "RayActorManager._actor_state_events",
    }
