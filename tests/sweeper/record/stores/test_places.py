"""What `--runs` may name."""

import pytest

from sweeper.errors import RunFolderError
from sweeper.record.run_folder import (
    RUNS,
)
from sweeper.record.stores.places import runs_folder


@pytest.mark.parametrize("stated", ["s3://KEY:SECRET@bucket/x", "s3://KEY:SE/CRET@b", "gs://K@b"])
def test_an_address_with_keys_is_refused_and_not_repeated(stated: str) -> None:
    with pytest.raises(RunFolderError, match="must hold no keys") as caught:
        runs_folder(stated)
    assert "SE" not in str(caught.value)
    assert runs_folder("abfs://container@account.dfs.core.windows.net/x").is_dir()


@pytest.mark.parametrize("stated", ["ftp://x/y", "s3://", "http://bucket"])
def test_an_address_of_nothing_is_refused(stated: str) -> None:
    with pytest.raises(RunFolderError, match="--runs: must be a folder, or an address as s3://"):
        runs_folder(stated)
    assert runs_folder("runs") == RUNS
