"""A sweep as TensorBoard reads it: event files with every trial's curves and settings.

What is in a trial's file follows from its record. If the file is a beginning of that, as after a
kill, the rest is appended; otherwise it is made anew. Only TensorBoard's own messages and record
format are used: neither torch nor TensorFlow is imported.
"""

import io
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from sweeper.errors import MirrorError
from sweeper.record.follower import Follower
from sweeper.record.run_folder import RunFolder
from sweeper.record.state.trial import Trial
from sweeper.spec.domains.listed import Choice, Grid
from sweeper.spec.domains.values import Scalar
from sweeper.spec.points import swept_text
from sweeper.status import Status
from trainable.loop.metrics import Metrics

CURVES = (
    "val_loss",
    "val_perplexity",
    "val_bits_per_byte",
    "val_loss_ema",
    "train_loss",
    "learning_rate",
    "grad_norm",
    "update_ratio",
    "max_activation",
    "max_logit",
    "tokens_per_second",
)

COMPARED = CURVES[:3]  # columns of the HParams view
LONGEST_NAME = 120

Message = Any  # of TensorBoard's protocol, which has no types


class TensorBoardMirror:
    """Keeps the event files in a run folder up to date with it (a `Mirror`)."""

    def __init__(self, folder: RunFolder) -> None:
        """
        Raises:
            MirrorError: TensorBoard is not installed.
        """
        self.sweep = Follower(folder)
        self._records = _Records()
        self._ended: dict[str, int] = {}  # written to the end of which attempt

    def update(self) -> None:
        """Show what the follower has taken in.

        Raises:
            MirrorError: the files cannot be written.
        """
        try:
            self._update()
        except OSError as error:
            path = self.sweep.folder.tensorboard
            raise MirrorError(
                f"{path}: cannot be written: {error.strerror}; copy the run folder to where it can"
            ) from error

    def _update(self) -> None:
        state, folder = self.sweep.state, self.sweep.folder.tensorboard
        begun = [trial for trial in state.trials.values() if trial.trial_id in self.sweep.started]
        first = state.sessions[0].started
        _bring_to(_file(folder), self._records.experiment(first, self._parameters()))
        for trial in begun:
            if self._ended.get(trial.trial_id) == trial.attempts:
                continue
            for other in folder.glob(f"{trial.trial_id}_*"):
                if other.name != run_name(trial):  # it took over from another: other values now
                    shutil.rmtree(other)
            _bring_to(_file(folder / run_name(trial)), self._of(trial))
            if trial.status.ended:
                self._ended[trial.trial_id] = trial.attempts

    def _of(self, trial: Trial) -> bytes:
        parameters = self._parameters()
        values = {
            name: typed
            for name, value in trial.values.items()
            for typed in _typed([value], _kind(parameters[name]))
        }
        end = None
        if trial.status.ended:
            well = trial.status in (Status.COMPLETED, Status.STOPPED)
            end = (self.sweep.ended[trial.trial_id], well)
        started = self.sweep.started[trial.trial_id]
        return self._records.trial(values, self.sweep.rows(trial, after=0), started, end)

    def _parameters(self) -> dict[str, list[Scalar]]:
        """The swept names, each with its values if they are listed."""
        spec = self.sweep.state.spec
        listed = {
            name: domain.values() if isinstance(domain, Grid | Choice) else []
            for name, domain in spec.space.items()
        }
        return listed | ({"seed": [*spec.repeated_seeds()]} if spec.repeats_points else {})


def run_name(trial: Trial) -> str:
    """The folder of a trial's events, which is the name that TensorBoard shows."""
    values = ",".join(f"{key}={swept_text(value)}" for key, value in trial.values.items())
    return re.sub(r"[^\w.,+=-]+", "_", f"{trial.trial_id} {values}")[:LONGEST_NAME]


def _file(folder: Path) -> Path:
    return folder / "events.out.tfevents.0.sweeper"


def _bring_to(path: Path, content: bytes) -> None:
    there = path.read_bytes() if path.exists() else b""
    if content.startswith(there):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content[len(there) :])
        return
    temporary = path.with_name(".new")
    temporary.write_bytes(content)
    os.replace(temporary, path)


class _Records:
    """Makes the bytes of event files, with TensorBoard's own messages."""

    def __init__(self) -> None:
        try:
            self._event = import_module("tensorboard.compat.proto.event_pb2")
            self._summary = import_module("tensorboard.compat.proto.summary_pb2")
            self._hparams = import_module("tensorboard.plugins.hparams.plugin_data_pb2")
            self._api = import_module("tensorboard.plugins.hparams.api_pb2")
            self._metadata = import_module("tensorboard.plugins.hparams.metadata")
            self._writer = import_module("tensorboard.summary.writer.record_writer")
        except ImportError as error:
            raise MirrorError(
                f"TensorBoard is not installed ({error}); install it: pip install tensorboard"
            ) from None

    def experiment(self, started: datetime, parameters: Mapping[str, list[Scalar]]) -> bytes:
        """The file of the whole sweep: what is swept, and which metrics trials are compared by."""
        experiment = self._api.Experiment(
            hparam_infos=[self._parameter(name, listed) for name, listed in parameters.items()],
            metric_infos=[
                self._api.MetricInfo(name=self._api.MetricName(tag=tag)) for tag in COMPARED
            ],
        )
        seconds = started.timestamp()
        tag, data = self._metadata.EXPERIMENT_TAG, {"experiment": experiment}
        return self._encoded([self._version(seconds), self._about(tag, seconds, data)])

    def trial(
        self,
        values: Mapping[str, Scalar],
        rows: list[Metrics],
        started: datetime,
        end: tuple[datetime, bool] | None,
    ) -> bytes:
        """The file of a trial: its settings, its curves, and when and how it has ended."""
        seconds = started.timestamp()
        events = [self._version(seconds), self._start(values, seconds)]
        events += [self._point(row, seconds) for row in rows]
        return self._encoded(events + ([] if end is None else [self._end(*end)]))

    def _start(self, values: Mapping[str, Scalar], seconds: float) -> Message:
        start = self._hparams.SessionStartInfo(start_time_secs=seconds)
        for name, value in values.items():
            _put(start.hparams[name], value)
        tag = self._metadata.SESSION_START_INFO_TAG
        return self._about(tag, seconds, {"session_start_info": start})

    def _point(self, row: Metrics, seconds: float) -> Message:
        values = [
            self._summary.Summary.Value(tag=tag, simple_value=value)
            for tag in (*CURVES, *row.others)
            if (value := row.value(tag)) is not None
        ]
        return self._event.Event(
            # Nobody noted the time of day, but the time spent training serves as an axis as well.
            wall_time=seconds + (row.train_seconds or 0.0),
            step=row.step,
            summary=self._summary.Summary(value=values),
        )

    def _end(self, ended: datetime, well: bool) -> Message:
        status = self._api.STATUS_SUCCESS if well else self._api.STATUS_FAILURE
        end = self._hparams.SessionEndInfo(status=status, end_time_secs=ended.timestamp())
        tag = self._metadata.SESSION_END_INFO_TAG
        return self._about(tag, ended.timestamp(), {"session_end_info": end})

    def _parameter(self, name: str, listed: list[Scalar]) -> Message:
        info = self._api.HParamInfo(name=name, type=getattr(self._api, _DATA_TYPES[_kind(listed)]))
        for value in _typed(listed, _kind(listed)):
            _put(info.domain_discrete.values.add(), value)
        return info

    def _about(self, tag: str, seconds: float, data: Mapping[str, Message]) -> Message:
        """An event that says something to the HParams plugin."""
        content = self._hparams.HParamsPluginData(
            version=self._metadata.PLUGIN_DATA_VERSION, **data
        )
        metadata = self._summary.SummaryMetadata(
            plugin_data=self._summary.SummaryMetadata.PluginData(
                plugin_name=self._metadata.PLUGIN_NAME,
                content=content.SerializeToString(deterministic=True),
            )
        )
        value = self._summary.Summary.Value(tag=tag, metadata=metadata)
        return self._event.Event(wall_time=seconds, summary=self._summary.Summary(value=[value]))

    def _version(self, seconds: float) -> Message:
        return self._event.Event(wall_time=seconds, file_version="brain.Event:2")

    def _encoded(self, events: Iterable[Message]) -> bytes:
        buffer = io.BytesIO()
        writer = self._writer.RecordWriter(buffer)
        for event in events:
            writer.write(event.SerializeToString(deterministic=True))
        return buffer.getvalue()


_DATA_TYPES = {float: "DATA_TYPE_FLOAT64", bool: "DATA_TYPE_BOOL", str: "DATA_TYPE_STRING"}


def _kind(listed: list[Scalar]) -> type:
    """The type that TensorBoard gives to a swept name. Of a range, nothing is listed."""
    kinds = {type(value) for value in listed if value is not None}
    if kinds == {bool}:
        return bool
    return float if kinds <= {int, float} else str


def _typed(values: Iterable[Scalar], kind: type) -> list[Scalar]:
    """The values without null, for which TensorBoard has none."""
    return [swept_text(v) if kind is str else v for v in values if v is not None]


def _put(into: Message, value: Scalar) -> None:
    """Into a `google.protobuf.Value`."""
    match value:
        case bool():
            into.bool_value = value
        case int() | float():
            into.number_value = value
        case str():
            into.string_value = value
