"""The report's section on a larger model, of sweeps over learning rates and sizes."""

from dataclasses import dataclass

from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.scaling.predicting import Prediction, Target, predict
from sweeper.errors import NoLawError, PredictionError
from sweeper.views.prediction import (
    SIZE_HEADINGS,
    answers,
    held_out_text,
    size_row,
    size_text,
)

SCALE = 10  # times the largest size: other sizes are asked for with `predict`


@dataclass(frozen=True, kw_only=True)
class LargerModel:
    """What the page says, and the prediction that its figures are drawn from."""

    prediction: Prediction
    size: str
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def larger_model(sweep: SweepData) -> tuple[LargerModel | None, str]:
    """None where sizes were not swept, or too few of them are known; with why none can be told
    where they follow no law."""
    if not any(parameter.changes_size for parameter in sweep.parameters):
        return None, ""
    try:
        found = predict(sweep, Target(scale=SCALE))
    except NoLawError as error:
        return None, str(error)
    except PredictionError:
        return None, ""
    larger = LargerModel(
        prediction=found,
        size=size_text(found.at),
        sentences=(*answers(found), held_out_text(found.held_out)),
        warnings=found.missing,
        headings=SIZE_HEADINGS,
        rows=tuple(map(size_row, found.sizes, found.fitted)),
    )
    return larger, ""
