"""The table of rooms in docs/design.md, compared with the tree."""

import re
import sys
from pathlib import Path

import pytest

from tests.sweeper.rooms import FLOOR_OF, House, read_house, room_of

ROOT = Path(__file__).parents[3]
ROW = re.compile(
    r"\| `(?P<room>(?:sweeper|trainable)/[\w/]*)(?:\.py)?` \| [^|]+ "
    r"\|(?P<modules>[^|]*)\|(?P<others>[^|]*)\|"
)
DOCS = sorted((ROOT / "docs").glob("*.md"))
HOUSE = read_house(ROOT)
MODULES = [m for m in HOUSE.sources if m.rpartition(".")[2] not in ("__init__", "__main__")]


def rows() -> dict[str, tuple[list[str], set[str]]]:
    """Of each room its modules (itself, where it is one) and its third parties."""
    table = {}
    for row in ROW.finditer((ROOT / "docs/design.md").read_text(encoding="utf-8")):
        room = row["room"].strip("/").replace("/", ".")
        names = [f"{room}.{name}" for name in re.findall(r"`(\w+)`", row["modules"])]
        table[room] = names or [room], set(re.findall(r"\(?\w+\)?", row["others"]))
    return table


def third_parties(house: House, room: str) -> set[str]:
    """As the table writes them: in parentheses what is only imported in functions."""
    imports = [
        (found.imported.split(".")[0], found.at_start)
        for found in house.imports
        if found.imported not in house.sources and room in _homes(found.importer)
    ]
    others = {package for package, _ in imports} - sys.stdlib_module_names
    at_start = {package for package, at_start in imports if at_start}
    return {package if package in at_start else f"({package})" for package in others}


def _homes(module: str) -> tuple[str, str]:
    return module, module.rpartition(".")[0]


def test_the_table_names_every_module_once() -> None:
    named = [module for modules, _ in rows().values() for module in modules]
    missing, gone = sorted({*MODULES} - {*named}), sorted({*named} - {*MODULES})
    assert not missing, f"docs/design.md: the table of the rooms lacks {missing}"
    assert not gone, f"docs/design.md: the table of the rooms names {gone}: they are not there"
    assert len(named) == len(set(named))


def test_the_rooms_stand_in_their_order() -> None:
    floors = [FLOOR_OF[room_of(modules[0])] for modules, _ in rows().values()]
    assert floors == sorted(floors)


def test_the_third_parties_of_each_room_are_those_that_it_imports() -> None:
    for room, (_, others) in rows().items():
        found = third_parties(HOUSE, room)
        assert others == found, f"docs/design.md, the row of {room}: it imports {sorted(found)}"


def test_the_tree_of_the_readme_is_the_tree() -> None:
    drawn = re.findall(r"^ +[├└]── (\S+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    rooms = {
        f"{path.name}/" if path.is_dir() else path.name
        for package in ("sweeper", "trainable")
        for path in (ROOT / package).glob("[a-z]*")
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert not rooms - {
        *drawn,
        "atomic_file.py",
        "settings.py",
        "validation_sets.py",
        "export.py",
        "generate.py",
        "coordinate_check.py",
    }


@pytest.mark.parametrize("doc", ["README.md", *(f"docs/{p.name}" for p in DOCS)])
def test_the_files_that_docs_speak_of_are_there(doc: str) -> None:
    named = re.findall(
        r"`((?:sweeper|trainable|tests|benchmarks|search_spaces)/[\w/.]*)`",
        (ROOT / doc).read_text(encoding="utf-8"),
    )
    assert [path for path in named if not (ROOT / path).exists()] == []
