"""The rooms of the house from top to bottom, and what of the imports breaks their order.

The imports are read from the sources, so those inside functions and under TYPE_CHECKING count too.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

# The one list: a floor a line. A room imports from its own floor and from those below it. A module
# that stands beside the rooms is a floor's room of its own.
FLOORS = [
    line.split()
    for line in """
    sweeper.__main__ sweeper.__init__
    sweeper.commands.cluster
    sweeper.commands sweeper.python_api
    sweeper.running
    sweeper.views.serve sweeper.views.notebook sweeper.runtime.session
    sweeper.views.report sweeper.views.trackers sweeper.runtime.ray_tune sweeper.runtime.ray_jobs
    sweeper.runtime.ray_tune.shared
    sweeper.views.report.figures.learning sweeper.views.report.figures.response
    sweeper.views.report.figures sweeper.views.terminal sweeper.runtime
    sweeper.views sweeper.runtime.trainers
    sweeper.runtime.trainers.program sweeper.runtime.trainers.hook
    sweeper.runtime.stopping sweeper.runtime.exhibits sweeper.runtime.sharing
    sweeper.analysis.scaling
    sweeper.analysis.remarks
    sweeper.analysis.comparison
    sweeper.analysis.summary sweeper.analysis.backtest
    sweeper.engine
    sweeper.analysis.reading sweeper.engine.session sweeper.engine.upcoming
    sweeper.analysis
    sweeper.record.exhibits sweeper.record.submission sweeper.record.runs
    sweeper.record
    sweeper.record.stores sweeper.record.results
    sweeper.record.state
    sweeper.plan.cost
    sweeper.plan
    sweeper.strategy
    sweeper.strategy.schedulers
    sweeper.strategy.search
    sweeper.strategy.surface
    sweeper.spec.reading
    sweeper.spec
    sweeper.spec.trainer
    sweeper.spec.domains sweeper.spec.operating
    sweeper.corpus
    sweeper.corpus.tokens
    sweeper.corpus.reading
    sweeper.record.buckets
    sweeper.errors sweeper.status sweeper.typed_json
    trainable.__main__ trainable.generate trainable.export trainable.coordinate_check
    trainable.command_line
    trainable.followers
    trainable.loop
    trainable.weights
    trainable.optimisation trainable.data trainable.model
    trainable.config trainable.atomic_file
    trainable.settings trainable.validation_sets
    trainable.errors trainable.__init__
    """.strip().splitlines()
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

RAY_ROOMS = (
    "sweeper.runtime.ray_tune",
    "sweeper.runtime.ray_tune.shared",
    "sweeper.runtime.ray_jobs",
)
TORCH_PROCESSES = {"sweeper.plan.cost.probe"}  # their functions run in processes that they start


@dataclass(frozen=True)
class Import:
    """One name of an import statement, as read."""

    importer: str  # a module
    imported: str  # a module, or a name in one
    line: int
    at_start: (
        bool  # neither in a function nor under TYPE_CHECKING: the importer's own import runs it
    )


@dataclass(frozen=True)
class Breach:
    importer: str
    imported: str
    sentence: str


class House:
    """Some modules and their imports.

    Args:
        sources: The text of each module, by its dotted name. A package's is `name.__init__`.
    """

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources

    @cached_property
    def imports(self) -> list[Import]:
        return [found for module in self.sources for found in self._read(module)]

    def _read(self, module: str) -> Iterator[Import]:
        package = module.split(".")[:-1]
        for node, at_start in _statements(ast.parse(self.sources[module]), at_start=True):
            names: Iterable[str] = ()
            match node:
                case ast.Import():
                    names = [alias.name for alias in node.names]
                case ast.ImportFrom():
                    parts = package[: len(package) + 1 - node.level] if node.level else []
                    origin = ".".join([*parts, *([node.module] if node.module else [])])
                    names = [f"{origin}.{alias.name}" for alias in node.names]
                case ast.Call(args=[ast.Constant(value=str() as name), *_]):
                    names = [name] if ast.unparse(node.func).endswith("import_module") else []
            for name in names:
                yield Import(module, self._module(name) or name, node.lineno, at_start)

    def _module(self, name: str) -> str | None:
        """The module of the house that this name is, or is in."""
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            prefix = ".".join(parts[:end])
            for module in (prefix, f"{prefix}.__init__"):
                if module in self.sources:
                    return module
        return None

    def breaches(self) -> list[Breach]:
        return [*self._upward(), *self._circles(), *self._outsiders()]

    def _inside(self) -> Iterator[tuple[Import, str, str]]:
        """The imports from room to room."""
        for found in self.imports:
            if found.imported in self.sources:
                here, there = room_of(found.importer), room_of(found.imported)
                if here != there:
                    yield found, here, there

    def _upward(self) -> Iterator[Breach]:
        for found, here, there in self._inside():
            if FLOOR_OF[there] >= FLOOR_OF[here]:
                continue
            if here.startswith("trainable") and there.startswith("sweeper"):
                yield _breach(
                    found,
                    "`trainable` is a training program of its own and does not know who calls it: "
                    "hand it what it needs as an argument, or move the code to sweeper",
                )
            else:
                yield _breach(
                    found,
                    f"that runs up: the room {here} lies below {there}. Move what is needed down "
                    f"into {here} or deeper, have the caller hand it in, or move the code that "
                    f"needs it up; the order of the rooms is in {__file__.rpartition('/')[2]}",
                )

    def _circles(self) -> Iterator[Breach]:
        along = [(f, a, b) for f, a, b in self._inside() if FLOOR_OF[a] == FLOOR_OF[b]]
        for circle in _circles((here, there) for _, here, there in along):
            for found, here, there in along:
                if here in circle and there in circle:
                    yield _breach(
                        found,
                        f"and so {' and '.join(sorted(circle))}, rooms of one floor, import one "
                        "another in a circle: neither can be read or tested without the other. "
                        "Move what both need below them, or hand it in",
                    )

    def _outsiders(self) -> Iterator[Breach]:
        """Third parties where they are not wanted."""
        for found in self.imports:
            outsider = found.imported.split(".")[0]
            in_sweeper = found.importer.startswith("sweeper.")
            if outsider == "ray" and room_of(found.importer) not in RAY_ROOMS:
                yield _breach(
                    found,
                    f"Ray is known in {' and '.join(RAY_ROOMS)} only: all else starts in a blink, "
                    "is tested in milliseconds, and can be read when the cluster is gone. Move the "
                    "code there, and say to the rooms above what they need in types of our own",
                )
            if outsider == "wandb" and found.at_start:
                yield _breach(
                    found,
                    "W&B takes seconds to import and is seldom wanted: import it in the function "
                    'that uses it, with import_module("wandb")',
                )
            if in_sweeper and (outsider == "torch" or found.imported in self.torch_modules):
                elsewhere = found.importer in TORCH_PROCESSES and not found.at_start
                if not elsewhere:
                    yield _breach(
                        found,
                        "that loads torch, and the driver does without: it would start seconds "
                        "later and hold a GPU. Do it in a process of its own, as plan/cost/probe "
                        "does, or move what needs no torch into a module of trainable without it",
                    )

    @cached_property
    def torch_modules(self) -> set[str]:
        """Modules of `trainable` that load torch when they are imported."""
        own = [found for found in self.imports if found.at_start]
        loads = {found.importer for found in own if found.imported.split(".")[0] == "torch"}
        while more := {f.importer for f in own if f.imported in loads} - loads:
            loads |= more
        return {module for module in loads if module.startswith("trainable.")}

    def module_circles(self) -> list[set[str]]:
        return _circles(
            (found.importer, found.imported)
            for found in self.imports
            if found.imported in self.sources and found.imported != found.importer
        )


def read_house(root: Path) -> House:
    """Both packages as they are in the tree."""
    files = [
        file for package in ("sweeper", "trainable") for file in (root / package).rglob("*.py")
    ]
    return House(
        {
            ".".join(file.relative_to(root).with_suffix("").parts): file.read_text(encoding="utf-8")
            for file in sorted(files)
        }
    )


def room_of(module: str) -> str:
    """The room of a module: the folder it lies in, or itself where it stands beside the rooms.

    Raises:
        KeyError: the list knows neither.
    """
    for room in (module, module.rpartition(".")[0]):
        if room in FLOOR_OF:
            return room
    raise KeyError(
        f"{module}: the list of rooms in {__file__} does not know it. Put the module into a room "
        "that it fits, or the new room into the list, on the floor where its imports run down"
    )


def _statements(node: ast.AST, *, at_start: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(child, ast.If) and ast.unparse(child.test).endswith(
            "TYPE_CHECKING"
        )
        inside = at_start and not later and not typing_only
        yield child, inside
        yield from _statements(child, at_start=inside)


def _breach(found: Import, why: str) -> Breach:
    path = found.importer.replace(".", "/")
    sentence = f"{path}.py:{found.line} imports {found.imported}: {why}."
    return Breach(found.importer, found.imported, sentence)


def _circles(edges: Iterable[tuple[str, str]]) -> list[set[str]]:
    """The members of each circle found; as many as it takes to see that there is one."""
    graph: dict[str, set[str]] = {}
    for start, end in edges:
        graph.setdefault(start, set()).add(end)
    circles = []
    while True:
        try:
            TopologicalSorter(graph).prepare()
            return circles
        except CycleError as error:
            circle = set(error.args[1])
            circles.append(circle)
            for member in circle:
                graph[member] = graph.get(member, set()) - circle
