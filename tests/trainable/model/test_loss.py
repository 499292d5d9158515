import pytest
import torch
import torch.nn.functional as F

from trainable.model import loss as loss_module
from trainable.model.loss import next_token_loss


def inputs(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(3, 7, 16, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(50, 16, generator=generator).requires_grad_()
    return hidden, weight, torch.randint(50, (3, 7), generator=generator)


@pytest.mark.parametrize("rows_in_chunk", [1, 4, 7, 21, 1000])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 0.01), (torch.float16, 0.002)]
)
def test_the_loss_and_its_gradients_are_torchs(
    dtype: torch.dtype, tolerance: float, rows_in_chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(loss_module.CHUNK_BYTES, "cpu", rows_in_chunk * 4 * 50)
    hidden, weight, targets = inputs(dtype)
    loss = next_token_loss(hidden, weight, targets)
    (loss * 3).backward()

    exact_hidden = hidden.detach().float().requires_grad_()
    exact_weight = weight.detach().requires_grad_()
    logits = F.linear(exact_hidden, exact_weight)
    exact = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    (exact * 3).backward()

    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=tolerance)
    for mine, theirs in ((hidden.grad, exact_hidden.grad), (weight.grad, exact_weight.grad)):
        assert (mine.float() - theirs).norm() <= tolerance * theirs.norm()


def test_evaluation_computes_no_gradient() -> None:
    hidden, weight, targets = inputs(torch.float32)
    with torch.no_grad():
        loss = next_token_loss(hidden, weight, targets)
    assert not loss.requires_grad
    assert loss.item() == next_token_loss(hidden, weight, targets).item()


def test_a_sure_mistake_has_a_finite_loss() -> None:
    weight = torch.tensor([[0.0], [1.0]])
    loss = next_token_loss(
        torch.full((1, 1, 1), 300.0), weight, torch.zeros(1, 1, dtype=torch.long)
    )
    assert loss.item() == 300.0  # the probability itself is 0 in float32


@pytest.mark.parametrize("rows_in_chunk", [4, 1000])
def test_z_loss_is_in_the_gradient_as_palm_has_it_and_not_in_the_value(
    rows_in_chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(loss_module.CHUNK_BYTES, "cpu", rows_in_chunk * 4 * 50)
    hidden, weight, targets = inputs(torch.float32)
    loss = next_token_loss(hidden, weight, targets, z_loss=0.1)
    loss.backward()

    exact_hidden, exact_weight = (w.detach().requires_grad_() for w in (hidden, weight))
    logits = F.linear(exact_hidden, exact_weight)
    cross_entropy = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    (cross_entropy + 0.1 * logits.logsumexp(-1).square().mean()).backward()

    assert loss.item() == pytest.approx(cross_entropy.item(), rel=1e-6)
    for mine, theirs in ((hidden.grad, exact_hidden.grad), (weight.grad, exact_weight.grad)):
        assert (mine - theirs).norm() <= 1e-6 * theirs.norm()
