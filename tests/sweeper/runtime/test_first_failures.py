"""When a sweep stops for failures that all trials would share."""

import pytest

from sweeper.runtime.first_failures import FirstFailures


def told(num_trials: int, *failed: str) -> list[list[str]]:
    """What is answered to failures, as TRIAL:ERROR; `train` where a trial takes a step."""
    first = FirstFailures(num_trials)
    answers = []
    for failure in failed:
        trial_id, _, error = failure.partition(":")
        if trial_id == "train":
            first.trains()
        else:
            answers.append(first.failed(trial_id, error))
    return answers


@pytest.mark.parametrize(
    "num_trials, failed, stops",
    [
        (9, ["a:no GPU", "b:no GPU", "c:no GPU"], ["a", "b", "c"]),
        (2, ["a:no GPU", "b:no GPU"], ["a", "b"]),
        (1, ["a:no GPU", "a:no GPU", "a:no GPU"], []),  # it has its attempts
        (9, ["a:no GPU", "a:no GPU", "a:no GPU"], []),
        (9, ["a:no GPU", "b:no GPU", "a:no GPU", "c:no GPU"], ["a", "b", "c"]),
        (9, ["a:8 GB are too few", "b:9 GB are too few", "c:7 GB are too few"], []),
        (9, ["a:no GPU", "b:no GPU", "train", "c:no GPU"], []),
        (9, ["train", "a:no GPU", "b:no GPU", "c:no GPU"], []),
    ],
)
def test_only_where_all_fail_alike(num_trials: int, failed: list[str], stops: list[str]) -> None:
    *before, last = told(num_trials, *failed)
    assert not any(before)
    assert last == stops
