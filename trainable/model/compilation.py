"""`torch.compile` of the blocks: one compile for all runs of a shape, eager where it fails.

Only the blocks are compiled. They see hidden states and weights, so no learning rate, warmup or
step can trigger another compile; torch's cache on disk (TORCHINDUCTOR_CACHE_DIR) hands the result
to other processes. The embedding stays outside because its compiled gradient adds atomically, in
an order that differs from run to run; the chunked loss because it cannot be compiled.
"""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

Blocks = Callable[..., Tensor]  # of hidden states and what each position sees


class CompiledBlocks:
    """`blocks` compiled at its first call, for each shape; `blocks` itself once that has failed."""

    def __init__(self, blocks: Blocks) -> None:
        self._eager = blocks
        self._run: Blocks = torch.compile(blocks, dynamic=False)

    def __call__(self, hidden: Tensor, *, seen: Tensor | None = None) -> Tensor:
        if self._run is self._eager:
            return self._eager(hidden, seen=seen)
        # Half of torch's time to import: not for runs that compile nothing.
        from torch._dynamo.exc import TorchDynamoException
        from torch._inductor.exc import InductorError

        try:
            return self._run(hidden, seen=seen)
        except (TorchDynamoException, InductorError) as error:
            reason = str(error).splitlines()[0]
            warnings.warn(
                f"torch.compile failed, training goes on without it: {reason}", stacklevel=2
            )
            self._run = self._eager
            return self._eager(hidden, seen=seen)
