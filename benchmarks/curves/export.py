"""Write the recorded families as Parquet, beside the search spaces that made them.

    python -m benchmarks.curves.export --scratch /tmp/curves

Only a family of which every trial has ended is written.
"""

import argparse
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sweeper.plan.plan import make_plan
from sweeper.record.replay import read_state
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.sweep_state import SweepState
from sweeper.spec.reading.spec_file import load_spec
from trainable.model.model_size import num_params

HERE = Path(__file__).parent
SETTINGS = {
    "learning_rate": pa.float64(),
    "min_learning_rate": pa.float64(),
    "warmup_steps": pa.int64(),
    "max_steps": pa.int64(),
    "weight_decay": pa.float64(),
    "batch_size": pa.int64(),
    "context_length": pa.int64(),
}
SCHEMA = pa.schema(
    {
        "family": pa.string(),
        "corpus": pa.string(),
        "trial": pa.int64(),
        "point": pa.int64(),
        "seed": pa.int64(),
        "status": pa.string(),
        "step": pa.int64(),
        "tokens": pa.int64(),
        "val_loss": pa.float64(),
        "train_seconds": pa.float64(),
        **SETTINGS,
        "size": pa.string(),
        "num_parameters": pa.int64(),
    }
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the recorded families as Parquet.")
    parser.add_argument("--scratch", type=Path, required=True, help="That of record.py.")
    scratch = parser.parse_args().scratch
    for file in sorted(HERE.glob("*.yaml")):
        export(file, scratch)


def export(file: Path, scratch: Path) -> None:
    """Write a family, if it is whole; its name is that of its search space."""
    folder = RunFolder(scratch / "runs" / file.stem)
    if not folder.path.exists():
        return
    state = read_state(folder)
    spec, source = load_spec(file)
    data = scratch / "data" / file.stem.partition("_")[0]
    planned = len(make_plan(spec, data.resolve(), source).trials)
    ended = sum(trial.status.ended for trial in state.trials.values())
    print(f"{file.stem}: {ended} of {planned} trials", flush=True)
    if ended == planned:
        table = pa.Table.from_pylist(evaluations(file.stem, state), schema=SCHEMA)
        pq.write_table(table, file.with_suffix(".parquet"), compression="zstd")


def evaluations(family: str, state: SweepState) -> list[dict[str, object]]:
    """A row for each evaluation of a sweep, by trial and step. Where a trial diverged, its last row
    has no loss."""
    corpus, size = family.split("_")[:2]
    points: dict[tuple[object, ...], int] = {}
    rows: list[dict[str, object]] = []
    for trial_id, trial in sorted(state.trials.items()):
        config = trial.config.to_dict()
        key = tuple(value for name, value in trial.values.items() if name != "seed")
        of_trial = {
            "family": family,
            "corpus": corpus,
            "trial": int(trial_id),
            "point": points.setdefault(key, len(points)),
            "seed": trial.config.seed,
            "status": trial.status.value,
            **{name: config[name] for name in SETTINGS},
            "size": size,
            "num_parameters": num_params(trial.config),
        }
        rows += [
            {
                **of_trial,
                "step": seen.step,
                "tokens": seen.tokens,
                "val_loss": seen.val_loss,
                "train_seconds": seen.train_seconds,
            }
            for seen in trial.evaluations
        ]
    return rows


if __name__ == "__main__":
    main()
