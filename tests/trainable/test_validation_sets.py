import pytest

from trainable.validation_sets import set_loss, set_of


def test_a_loss_is_called_after_its_set() -> None:
    assert set_of(set_loss("Code_2")) == "Code_2"


@pytest.mark.parametrize(
    "metric", ["val_loss", "val_loss_", "val_loss_ema", "val_loss_a-b", "loss"]
)
def test_other_metrics_are_of_no_set(metric: str) -> None:
    assert set_of(metric) is None
