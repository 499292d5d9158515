from pathlib import Path

import pytest

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.meta import Meta
from trainable.errors import DataError


def test_a_damaged_meta_is_named(tmp_path: Path) -> None:
    folder = CorpusFolder(tmp_path)
    with pytest.raises(DataError, match=r"meta\.json: cannot be read .*sweeper prepare"):
        Meta.read(folder)
    folder.meta.write_text('{"format": 2}')
    with pytest.raises(DataError, match=r"meta\.json: format: .* 1; prepare the folder again"):
        Meta.read(folder)
