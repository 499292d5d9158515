"""What is known of the laws before a sweep: what others have measured on larger models.

The best learning rate goes with N^params x D^tokens, N the parameters, D the tokens:

- where batches grow with the tokens, as is best: Step Law (https://arxiv.org/abs/2503.04715), from
  3,700 models: N^-0.713 D^0.307, at batches of D^0.571.
- where all batches are alike: D^-0.32 (Bjorck et al., https://arxiv.org/abs/2409.19913): longer
  runs want smaller learning rates then. Of N there are two sources, which differ widely. Bjorck et
  al. have -0.23. Step Law's -0.713 holds here too: its best batch goes by D alone, so that models
  of as many tokens had like batches (`benchmarks/transfer.py` fits its runs so). The prior is their
  mean and their deviation, so the sizes decide. In theory a matrix wants 1 / width
  (https://arxiv.org/abs/2203.03466): -1/2 in width alone, -1/3 where depth grows with it.
  So the pair is no source's own. Where D grows as N does it has -0.79, give or take 0.36. The one
  that was measured at like batches, by Bjorck et al., has -0.55. Step Law says nothing of D there
  but what a law of the batch makes of it: 0.307 - 0.571 k, if the best learning rate goes with the
  batch to the k. Where D grows as N does that is -0.69 for a root, -0.98 for k = 1. Of D alone the
  root makes 0.02, which lies far outside the prior: that stands by Bjorck et al. alone. N and D are
  taken as independent, which the sources' pairs are not; two of them tell no covariance.
- under mup and completep: as often said, constant in N (https://arxiv.org/abs/2203.03466,
  https://arxiv.org/abs/2505.01618). In D it is as above: Bjorck et al. find their exponent under
  mup as well.

How far a sweep's own exponents may lie from the others is taken as well from how far the sources
lie from one another. Where D grows as N does, those of N are -0.41 (Step Law), -0.55 (Bjorck et
al.), -0.36 (https://arxiv.org/abs/2406.19146) and -0.25 (https://arxiv.org/abs/2401.02954:
C^-0.125). The deviation of these four is 0.125. Bjorck et al. alone had like batches.
"""

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

Parametrisation = Literal["standard", "mup", "completep"]

SPREAD = 0.125
OF_PARAMS = (-0.713, -0.23)  # of N at equal batches: Step Law, Bjorck et al.


@dataclass(frozen=True, kw_only=True)
class Exponents:
    """Of a power law in parameters and tokens: where they lie, give or take a standard deviation
    each."""

    params: float
    tokens: float
    params_spread: float = SPREAD
    tokens_spread: float = SPREAD
    source: str


TUNED_BATCH = Exponents(params=-0.713, tokens=0.307, source="Step Law")
SAME_BATCH = Exponents(
    params=round(fmean(OF_PARAMS), 2),
    tokens=-0.32,
    params_spread=round(stdev(OF_PARAMS), 2),
    source="Step Law and Bjorck et al.",
)

# Of the loss E + A N^-params + B D^-tokens: the fit of Besiroglu et al. to Chinchilla's runs
# (https://arxiv.org/abs/2404.10102). Hoffmann et al. have 0.34 and 0.28 from the same runs
# (https://arxiv.org/abs/2203.15556), which is the spread.
LOSS = Exponents(
    params=0.35, tokens=0.37, params_spread=0.1, tokens_spread=0.1, source="Chinchilla"
)


def learning_rate_prior(parametrisation: Parametrisation, *, same_batch: bool) -> Exponents:
    """
    Args:
        same_batch: Whether all sizes were trained in batches of as many tokens.
    """
    known = SAME_BATCH if same_batch else TUNED_BATCH
    if parametrisation == "standard":
        return known
    of_tokens = "Bjorck et al." if same_batch else known.source
    return Exponents(params=0.0, tokens=known.tokens, source=f"{parametrisation}, {of_tokens}")
