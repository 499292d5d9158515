"""Keys are in the environment of a sweep's processes, and in nothing that they write."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from sweeper.engine.audience import Audience
from sweeper.engine.session.fingerprint import take_fingerprint
from sweeper.engine.session.terms import SessionTerms
from sweeper.plan.plan import make_plan
from sweeper.record.buckets.bucket import Bucket
from sweeper.record.metrics_files import MetricsFiles
from sweeper.record.run_folder import create_run_folder
from sweeper.record.stores.places import runs_folder
from sweeper.record.tables import Tables
from sweeper.runtime.trial_loop import TRAINER
from sweeper.spec.reading.spec_file import load_spec
from sweeper.views.report import write_report
from tests.sweeper.in_process import opened
from tests.sweeper.runtime.trainers.test_sweeps import Foreign, space_in
from tests.sweeper.servers import KEYS


def holding(files: dict[str, bytes], text: str) -> list[str]:
    return [name for name, content in files.items() if text.encode() in content]


def test_keys_are_in_no_file_of_a_sweep_on_any_side(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    """Of a program of its user's, which has them too, in a bucket."""
    keys = {name: KEYS[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    keys |= {"WANDB_API_KEY": secrets.token_hex(20), "HOOK": f"http://x/{secrets.token_hex(20)}"}
    for name, value in {**keys, "XDG_CACHE_HOME": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    space = space_in(tmp_path / "work", "pattern")
    spec, source = load_spec(space, ["notify.webhook=env:HOOK"])
    plan = make_plan(spec, None, source)
    folder = create_run_folder(runs_folder(s3), plan.spec, None, "space.yaml")
    terms = SessionTerms(fingerprint=take_fingerprint(plan.spec, TRAINER))
    with folder.locked(), opened(folder, plan, terms) as sweep:
        audience = Audience(sweep, [MetricsFiles(folder), Tables(folder)])
        Foreign(sweep, audience, None).run()
        audience.close(sweep.state)
        write_report(folder, state=sweep.state)
    bucket = Bucket(s3)
    files = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    files |= {f"{s3}/{name}": bucket.get(name) for name in bucket.objects()}
    files["screen"] = "".join(capfd.readouterr()).encode()
    for name in ("sweep.yaml", "report.html", "results.parquet", "000000001.jsonl"):
        assert any(each.endswith(name) for each in files), name
    assert len(holding(files, "learning_rate")) > 5  # what is looked for is found where it is
    for name, key in keys.items():
        assert holding(files, key) == [], name
