"""The probe with real processes that really train, for as short as can be."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeper.corpus.folder import CorpusFolder
from sweeper.plan.cost import probe
from sweeper.plan.cost.probe import (
    data_to_look_at,
    measure,
    measure_speeds,
    only_training,
    this_machine,
)
from sweeper.plan.cost.shapes import Machine, shape_of, shapes
from sweeper.plan.placement import Node, Share
from sweeper.plan.plan import make_plan
from sweeper.spec.reading.spec_file import load_spec
from trainable.errors import ProcessLostError, UserError
from trainable.loop.memory import estimate_memory
from trainable.loop.training import Trainer

TWO_SLOTS = Machine(slots=2, free_memory=None)
WIDTHS = {"size": {"grid": {"small": {"d_model": 16}, "large": {"d_model": 32}}}}


def test_all_shapes_are_measured_but_those_that_fit_no_memory(tiny_plan: Any) -> None:
    plan = tiny_plan(space=WIDTHS, scheduler={"type": "fifo"})
    both = shapes(plan)
    small, large = sorted(both, key=lambda shape: shape.d_model)
    speeds = measure_speeds(both, TWO_SLOTS, Share(cpu=1, gpu=0), num_trials=2, train_seconds=0)
    assert speeds.keys() == both.keys()
    for speed in speeds.values():
        assert speed.tokens_per_second > 0
        assert speed.evaluation_seconds > 0

    tight = Machine(slots=1, free_memory=estimate_memory(both[large], micro_batch_size=1) - 1)
    speeds = measure_speeds(both, tight, Share(cpu=1, gpu=0), num_trials=2, train_seconds=0)
    assert speeds.keys() == {small}


def test_what_the_training_loop_refuses_is_told(tiny_plan: Any) -> None:
    plan = tiny_plan(train={"device": "cuda:7"})
    with pytest.raises(UserError, match="device: cuda:7 is not on this machine"):
        measure_speeds(shapes(plan), TWO_SLOTS, Share(cpu=1, gpu=0), num_trials=1, train_seconds=0)


@pytest.mark.slow
def test_processes_that_share_a_trial_are_measured_together(tiny_plan: Any) -> None:
    two = Share(cpu=2, gpu=0, processes=2)
    slot = Machine(slots=1, free_memory=None)
    (speed,) = measure_speeds(
        shapes(tiny_plan()), slot, two, num_trials=1, train_seconds=0
    ).values()
    assert speed.tokens_per_second > 0 and speed.evaluation_seconds > 0


def test_no_one_waits_for_a_step_that_takes_too_long(
    tiny_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "WAIT_SECONDS", 0.0)
    plan = tiny_plan()
    assert measure_speeds(shapes(plan), TWO_SLOTS, Share(cpu=1, gpu=0), num_trials=4) == {}


def test_a_worker_that_dies_gives_no_answer(tiny_plan: Any) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", "input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    config = tiny_plan().trials[0].config.to_dict()
    assert probe._ask(worker, config) is None
    worker.wait()
    assert probe._ask(worker, config) is None  # nor does it fail to be asked again
    worker.communicate()


def test_nor_does_one_that_has_lost_a_process(
    tiny_plan: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lost(*args: Any, **settings: Any) -> None:
        raise ProcessLostError("process 2 of 2 has ended (killed by SIGKILL)")

    monkeypatch.setattr("trainable.followers.leader.start_trainer", lost)
    monkeypatch.setattr("sys.argv", ["probe", "2", "1", "0"])
    config = tiny_plan().trials[0].config.to_dict()
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(config)))
    probe.main()
    assert capsys.readouterr().out == ""


def test_the_work_measured_is_that_of_the_trial(tiny_plan: Any) -> None:
    config = replace(tiny_plan().trials[0].config, max_steps=3, warmup_steps=0, init_from="no.pt")
    endless = only_training(config)
    assert shape_of(endless) == shape_of(config)
    trainer = Trainer(endless, num_threads=1)
    measure(trainer, seconds=0)
    assert trainer.step == probe.WARM_UP_STEPS + 1  # beyond max_steps, one step of them timed


def test_the_built_in_corpus_is_not_made_for_a_look(
    tmp_path: Path, write_space: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec, source = load_spec(write_space(data=None, train={"vocab_size": 256}))
    before = sorted(tmp_path.rglob("*"))
    with data_to_look_at(spec, source) as data:
        plan = make_plan(spec, data, source)
        Trainer(plan.trials[0].config)
        assert int(np.load(CorpusFolder(data).train).max()) == plan.trials[0].config.vocab_size - 1
    assert not data.exists()
    assert sorted(tmp_path.rglob("*")) == before


def test_gpus_are_asked_for_only_where_there_may_be_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(probe, "_gpus", lambda: (2, 5_000))
    monkeypatch.setattr(probe, "GPU_DEVICES", ("/dev/null",))
    assert this_machine() == (Node(cpus=8, gpus=2), 5_000)
    monkeypatch.setattr(probe, "GPU_DEVICES", ("/dev/no-such-device",))
    node, free = this_machine()
    assert node == Node(cpus=8, gpus=0)
    assert free > 10_000


@pytest.mark.parametrize(
    ("share", "devices", "threads"),
    [
        (Share(cpu=2, gpu=0), ["", ""], "2"),
        (Share(cpu=1, gpu=1), ["0", "1"], "1"),
        (Share(cpu=0.5, gpu=0.5), ["0", "0", "1"], "1"),
        (Share(cpu=1, gpu=0.4), ["0", "0", "1"], "1"),
        (Share(cpu=1, gpu=0.1), ["0"] * 10 + ["1"], "1"),  # 1 // 0.1 is 9 in binary
        (Share(cpu=1, gpu=2), ["0,1", "2,3"], "1"),
    ],
)
def test_a_worker_sees_what_its_slot_has(share: Share, devices: list[str], threads: str) -> None:
    seen = [probe._as_in_a_slot(slot, share) for slot in range(len(devices))]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in seen] == devices
    assert {one["OMP_NUM_THREADS"] for one in seen} == {threads}
