"""What a sweep over sizes says of a larger one, and when it says that it cannot."""

import math
from dataclasses import replace

import pytest

from sweeper.analysis.scaling.predicting import Prediction, Target, predict
from sweeper.errors import NoLawError, PredictionError
from sweeper.views.prediction import answers, prediction_json
from tests.sweeper.analysis.scaling.truths import (
    best_loss,
    best_rate,
    size,
    sweep_over_sizes,
)

TENFOLD = Target(scale=10)


def text_of(told: Prediction) -> str:
    return " ".join(told.missing)


def test_it_names_the_learning_rate_and_the_loss_of_a_larger_model() -> None:
    told = predict(sweep_over_sizes(), TENFOLD)
    at = told.at
    assert (at.params, at.tokens) == (13762560, 81920000)
    assert abs(math.log2(at.learning_rate / best_rate(at.params, at.tokens))) < 0.5
    low, high = at.learning_rate_80
    assert low <= best_rate(at.params, at.tokens) <= high and high / low < 2.5
    assert at.learning_rate_95[0] < low < at.learning_rate < high < at.learning_rate_95[1]
    assert at.loss == pytest.approx(best_loss(at.params, at.tokens), rel=0.04)
    assert at.loss_95[0] <= best_loss(at.params, at.tokens) <= at.loss_95[1]
    assert 0 < at.regret < 0.02 * at.loss


def test_it_says_how_the_law_did_on_the_largest_size() -> None:
    missed = predict(sweep_over_sizes(), TENFOLD).held_out
    assert (missed.params, missed.tokens) == (1376256, 8192000)
    assert abs(missed.octaves) < 0.5 and abs(missed.loss_share) < 0.03
    assert missed.holds


def test_a_size_can_be_named() -> None:
    at = predict(sweep_over_sizes(), Target(params=124_000_000, tokens=2_500_000_000)).at
    assert (at.params, at.tokens) == (124_000_000, 2_500_000_000)


def test_batches_that_grew_with_the_tokens_go_on_growing() -> None:
    told = predict(sweep_over_sizes(), TENFOLD)
    assert told.at.batch_tokens > 4096
    assert told.prior.source == "Step Law"


def test_a_learning_rate_whose_law_fails_the_largest_size_is_refused() -> None:
    def broken(params: float, tokens: float) -> float:
        return best_rate(params, tokens) * (5 if params > 1e6 else 1)

    with pytest.raises(NoLawError) as told:
        predict(sweep_over_sizes(rate=broken, shapes=["s", "m", "l", "xl"]), TENFOLD)
    first, remedy = str(told.value).splitlines()
    assert first.startswith("transfer: no learning rate can be told: its law fails your largest")
    assert "(1,376,256 parameters, 8,192,000 tokens)" in first
    assert "`plan FILE --for 13762560`" in remedy


def test_of_a_loss_off_its_law_only_the_learning_rate_is_told() -> None:
    def broken(params: float, tokens: float) -> float:
        return best_loss(params, tokens) * (1.3 if params > 1e6 else 1)

    told = predict(sweep_over_sizes(loss=broken), TENFOLD)
    assert told.held_out.loss_share < -0.15 and not told.held_out.loss_holds
    assert told.missing[0].startswith("No loss can be told: its law fails your largest size")
    (text,) = answers(told)
    assert text.startswith("Take learning_rate")
    assert len(answers(predict(sweep_over_sizes(), TENFOLD))) == 2
    given = prediction_json(told)["prediction"]
    assert isinstance(given, dict) and given["loss"] is given["loss_95"] is None


@pytest.mark.parametrize(
    ("steps", "how"),
    [
        ({"s": 1440, "m": 3000, "l": 6240, "xl": 6720}, "all were trained on as many tokens a pa"),
        ({"s": 3200, "m": 1600, "l": 800, "xl": 400}, "all were trained on as many tokens"),
    ],
)
def test_of_sizes_along_one_line_nothing_is_told_beside_it(steps: dict[str, int], how: str) -> None:
    sweep = sweep_over_sizes(steps=steps)
    with pytest.raises(NoLawError, match=f"tokens: {how}.*\n  To mend it: sweep a size in the mid"):
        predict(sweep, Target(params=10_000_000, tokens=10_000_000_000))
    largest = predict(sweep, Target(scale=1))
    assert f"Only sizes on one line can be told: {how}" in text_of(largest)


def test_a_sweep_that_is_not_at_its_end_says_so() -> None:
    sweep = replace(sweep_over_sizes(), state="running", num_planned=40)
    told = predict(sweep, TENFOLD).missing
    assert told == ("The sweep is running: 32 of 40 trials have ended, so this may change.",)


def test_sizes_that_tell_parameters_from_tokens_need_no_remark() -> None:
    assert predict(sweep_over_sizes(), TENFOLD).missing == ()


def test_fewer_than_three_sizes_are_refused() -> None:
    with pytest.raises(
        PredictionError,
        match=r"known of 2 sizes, and a law that can be checked needs 3\.\n  Sweep learning_rate",
    ):
        predict(sweep_over_sizes(shapes=["s", "m"]), TENFOLD)


def test_sizes_at_an_edge_do_not_count() -> None:
    sweep = sweep_over_sizes(
        rate=lambda params, tokens: 4e-2 if params < 2e5 else 1e-3, shapes=["s", "m", "l"]
    )
    with pytest.raises(PredictionError) as told:
        predict(sweep, TENFOLD)
    lines = str(told.value).splitlines()
    assert len(lines) == 3 and "known of 1 size," in lines[0]
    assert lines[1].startswith("  33,280 parameters, 204,800 tokens: its best learning rate lies")
    assert "To mend it: sweep learning_rate above 0.016 too" in lines[1]


def test_under_mup_the_learning_rate_stays_where_it_is() -> None:
    def constant(params: float, tokens: float) -> float:
        return float(2e-3 * (tokens / 1e6) ** 0.307)

    large = Target(params=20_000_000, tokens=8_192_000)
    mup, standard = (
        predict(sweep_over_sizes(rate=constant, parametrisation=kind), large)
        for kind in ("mup", "standard")
    )
    low, high = mup.at.learning_rate_80
    assert mup.prior.params == 0.0
    assert low <= constant(mup.at.params, mup.at.tokens) <= high
    assert standard.at.learning_rate < mup.at.learning_rate


def test_the_size_that_is_made_by_hand_is_as_it_says() -> None:
    made = size(1e5, 1e6, -7.0, deviation=0.3)
    assert made.log_rate == pytest.approx(-7.0) and made.deviation == pytest.approx(0.3, rel=0.01)
    assert made.edge is None
