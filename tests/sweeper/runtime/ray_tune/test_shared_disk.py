"""Whether every node of a cluster sees the run folders."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sweeper.errors import ResourceError
from sweeper.runtime.ray_tune.cluster import require_seen

NODES = {"a1": "first", "b2": "second"}


def test_a_folder_that_a_node_does_not_see_is_refused_with_the_remedy(tmp_path: Path) -> None:
    def ask(nodes: Sequence[str], probe: Path) -> list[bool]:
        assert list(nodes) == ["a1", "b2"] and probe.is_file()
        return [node == "a1" for node in nodes]

    match = r"runs: second of the cluster's 2 nodes do not see this folder, .* --runs s3://BUCKET"
    with pytest.raises(ResourceError, match=match):
        require_seen(tmp_path / "runs", NODES, ask)
    assert not (tmp_path / "runs").exists(), "nothing is left of the question"


def test_one_that_all_see_is_accepted_and_left_as_it_was(tmp_path: Path) -> None:
    require_seen(tmp_path / "runs", NODES, lambda nodes, probe: [probe.is_file()] * len(nodes))
    assert not (tmp_path / "runs").exists(), "nothing is left of the question"
