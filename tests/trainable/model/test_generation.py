import pytest
import torch

from trainable.model.generation import sample


def test_sampling_follows_temperature_and_top_p() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    generator = torch.Generator().manual_seed(0)

    def shares(**settings: float) -> list[float]:
        chosen = {"temperature": 1.0, "top_p": 1.0, **settings}
        drawn = [sample(logits, generator=generator, **chosen) for _ in range(4000)]
        return [drawn.count(token) / len(drawn) for token in range(4)]

    assert shares() == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    squared = torch.tensor([0.25, 0.09, 0.0225, 0.0025])
    assert shares(temperature=0.5) == pytest.approx((squared / squared.sum()).tolist(), abs=0.03)
    assert shares(top_p=0.79) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    assert shares(top_p=0.01) == [1, 0, 0, 0]
    assert shares(temperature=0) == [1, 0, 0, 0]
