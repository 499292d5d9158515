"""New trials of an Optuna study, many at once, as rows of Optuna's own tables.

Optuna's interface asks the database twice for each value that it adds: 100,000 of them take
minutes. What Optuna makes of these rows is what the tests look at.
"""

import json
from collections.abc import Iterable, Sequence

from optuna.distributions import distribution_to_json
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

Row = dict[str, object]


def add_trials(database: RDBStorage, study: int, first: int, trials: Sequence[FrozenTrial]) -> None:
    """Add all of them or, if the database fails, none. `first`: the number of the first.

    Raises:
        StorageInternalError: as Optuna does, whatever is wrong with the database.
    """
    try:
        with Session(database.engine) as session:
            rows = [
                models.TrialModel(
                    study_id=study,
                    number=first + place,
                    state=trial.state,
                    datetime_start=trial.datetime_start,
                    datetime_complete=trial.datetime_complete,
                )
                for place, trial in enumerate(trials)
            ]
            session.bulk_save_objects(rows)
            key, number = models.TrialModel.trial_id, models.TrialModel.number
            new = select(key).where(models.TrialModel.study_id == study, number >= first)
            keys = session.scalars(new.order_by(number))
            added = list(zip(keys, trials, strict=True))
            for table, rows_of in _TABLES:
                of_all = [row | {"trial_id": n} for n, trial in added for row in rows_of(trial)]
                if of_all:
                    session.execute(insert(table), of_all)
            session.commit()
    except SQLAlchemyError as error:
        raise StorageInternalError("the trials could not be added") from error


def _params(trial: FrozenTrial) -> Iterable[Row]:
    for name, value in trial.params.items():
        distribution = trial.distributions[name]
        yield {
            "param_name": name,
            "param_value": distribution.to_internal_repr(value),
            "distribution_json": distribution_to_json(distribution),
        }


def _values(trial: FrozenTrial) -> Iterable[Row]:
    if trial.value is not None:
        value, kind = models.TrialValueModel.value_to_stored_repr(trial.value)
        yield {"objective": 0, "value": value, "value_type": kind}


def _intermediate_values(trial: FrozenTrial) -> Iterable[Row]:
    stored = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
    for step, seen in trial.intermediate_values.items():
        value, kind = stored(seen)
        yield {"step": step, "intermediate_value": value, "intermediate_value_type": kind}


def _attributes(trial: FrozenTrial) -> Iterable[Row]:
    for key, value in trial.user_attrs.items():
        yield {"key": key, "value_json": json.dumps(value)}


_TABLES = (
    (models.TrialParamModel, _params),
    (models.TrialValueModel, _values),
    (models.TrialIntermediateValueModel, _intermediate_values),
    (models.TrialUserAttributeModel, _attributes),
)
