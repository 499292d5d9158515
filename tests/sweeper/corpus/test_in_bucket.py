"""Prepared folders in buckets: fetched once by a machine, whole or not at all, and as they were."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sweeper.corpus import in_bucket
from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.in_bucket import fetch, on_this_machine, place_here
from sweeper.corpus.preparation import prepare
from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.session.resuming import Changes, prepare_resumption
from sweeper.engine.session.terms import SessionTerms
from sweeper.errors import RunFolderError, SpecError
from sweeper.plan.cost.preview import planned
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.run_folder import create_run_folder
from tests.sweeper.in_process import opened
from tests.sweeper.record.stores.conftest import go_to
from trainable.errors import DataError

TRAINER = "trainable.loop.training:Trainer"
FILES = ("meta.json", "val.npy", "train.npy")


@pytest.fixture(autouse=True)
def on_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrive("one", tmp_path, monkeypatch)


def arrive(machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a new process of this machine."""
    go_to(machine, tmp_path, monkeypatch)
    monkeypatch.setattr(in_bucket, "_chosen", {})


@pytest.fixture
def data(address: str, tokens_folder: Path) -> str:
    bucket = Bucket(f"{address}/tokens")
    for name in FILES:
        bucket.put(name, tokens_folder / name)
    bucket.put("raw/text.txt", b"of another kind")
    return bucket.address


def test_a_machine_fetches_it_once_and_notices_a_change(
    data: str, tokens_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not place_here(data).exists()
    folder = fetch(data)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert (folder / "train.npy").read_bytes() == (tokens_folder / "train.npy").read_bytes()
    arrive("one", tmp_path, monkeypatch)
    assert place_here(data) == folder
    with monkeypatch.context() as patch:
        patch.delattr(Bucket, "download")
        assert fetch(data) == folder
    Bucket(data).put("train.npy", b"others")
    with pytest.raises(DataError, match=f"data: {data}: has changed since the sweep was started"):
        fetch(data, version=folder.name)
    other = fetch(data)
    assert (other / "train.npy").read_bytes() == b"others"
    assert place_here(data) == other != folder


def test_of_several_workers_of_a_node_one_fetches_it(
    data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    download, fetched = Bucket.download, []

    def noted(bucket: Bucket, name: str, path: Path) -> None:
        fetched.append(name)
        download(bucket, name, path)

    monkeypatch.setattr(Bucket, "download", noted)
    with ThreadPoolExecutor(8) as workers:
        folders = set(workers.map(lambda _: fetch(data), range(8)))
    assert len(folders) == 1
    assert fetched == list(FILES), "what says that it is whole comes last"


def test_a_kill_in_the_middle_leaves_no_half_file(
    data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(bucket: Bucket, name: str, path: Path) -> None:
        if name == "train.npy":
            path.write_bytes(b"half")
            raise KeyboardInterrupt
        path.write_bytes(bucket.get(name))

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Bucket, "download", half)
        fetch(data)
    assert not CorpusFolder(place_here(data)).train.exists()
    folder = fetch(data)
    assert (folder / "train.npy").read_bytes() == Bucket(data).get("train.npy")
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_what_is_replaced_while_it_comes_is_not_kept_as_what_was_listed(
    data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Bucket.files

    def files(bucket: Bucket) -> Any:
        there = listed(bucket)
        Bucket(data).put("train.npy", b"others")
        return there

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "files", files)
        with pytest.raises(DataError, match="is not there, or is being changed"):
            fetch(data)
    assert not CorpusFolder(place_here(data)).train.exists()
    assert CorpusFolder(fetch(data)).train.read_bytes() == b"others"


def test_a_sweep_on_it_is_resumed_on_another_machine_unless_the_data_have_changed(
    data: str, write_space: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(write_space(data=data))
    config = plan.trials[0].config
    folder = create_run_folder(tmp_path / "runs", plan.spec, None, "space.yaml")
    session = SessionTerms(fingerprint=take_fingerprint(plan.spec, TRAINER))
    with opened(folder, plan, session) as sweep:
        assert sweep.next_trial() is not None

    arrive("another", tmp_path, monkeypatch)
    resumed = prepare_resumption(folder, Changes(), TRAINER)
    assert resumed.plan.spec.data == data
    there = resumed.plan.trials[0].config
    assert str(tmp_path / "another") in there.train_data
    assert resumed.state.trials["0000"].config == there
    assert on_this_machine(config, data) == config, "the other machine's files are on this disk"
    shutil.rmtree(tmp_path / "one")
    assert on_this_machine(config, data) == there

    Bucket(data).put("train.npy", Bucket(data).get("val.npy"))
    with pytest.raises(DataError, match="has changed since the sweep was started"):
        on_this_machine(config, data)
    with pytest.raises(RunFolderError, match=r"data/train\.npy has changed"):
        prepare_resumption(folder, Changes(), TRAINER)


def test_what_is_wrong_with_it_is_told_by_file_and_key(
    address: str, data: str, write_space: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bucket(data).delete(["train.npy"])
    match = r"space.yaml:\d+: data: .*/tokens has no train.npy; make one with: .* --out .*/tokens"
    with pytest.raises(SpecError, match=match):
        planned(write_space(data=data))
    with pytest.raises(SpecError, match=r"data: an address \(s3://…\) must hold no keys"):
        planned(write_space(data="s3://key:secret@bucket/tokens"))
    if address.startswith("s3"):
        with pytest.raises(SpecError, match=r"nowhere/tokens: cannot be .* does not exist"):
            planned(write_space(data="s3://nowhere/tokens"))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        with pytest.raises(SpecError, match=r"cannot be fetched \(no keys: neither the environ"):
            planned(write_space(data=f"{data}-other"))


def test_prepare_makes_it_there_and_never_writes_over_it(address: str, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("to be or not to be\n" * 200)
    out = f"{address}/made"
    prepare([str(text)], out, val_fraction=0.2)
    folder = fetch(out)
    assert sorted(path.name for path in folder.iterdir()) == sorted(CorpusFolder.NAMES)
    with pytest.raises(DataError, match=f"--out: {out}: has a prepared folder already"):
        prepare([str(text)], out)
