"""Text that the tests of the corpus prepare."""

import json
from pathlib import Path

import pytest

from sweeper.corpus.reading.inputs import stdlib_files


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Source files, a .jsonl of stories, and a binary file."""
    root = tmp_path_factory.mktemp("texts")
    for file in stdlib_files()[:25]:
        (root / file.path.name).write_bytes(file.path.read_bytes())
    stories = [{"text": f"Story {number}: il était une fois … 🦊\n"} for number in range(200)]
    (root / "stories.jsonl").write_text("".join(json.dumps(story) + "\n" for story in stories))
    (root / "image.png").write_bytes(b"\x89PNG\0\0")
    return root
