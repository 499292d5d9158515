"""Who has won, and whether that is more than noise."""

from dataclasses import dataclass

from sweeper.analysis.noise import Noise, noise_of
from sweeper.analysis.summary.sweep_data import SweepData, TrialData
from sweeper.record.ranking import Margin, PointResult, Ranking, rank


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The best point. `noise` is None if no point was repeated: then nothing is known about it."""

    best: PointResult[TrialData]
    margin: Margin[TrialData] | None
    noise: Noise[TrialData] | None

    @property
    def trial(self) -> TrialData:
        """The best of its trials, whose weights are the ones to take."""
        return self.best.best


def ranking_of(sweep: SweepData) -> Ranking[TrialData]:
    return rank(sweep.trials, sweep.mode, repeated=bool(sweep.seeds))


def winner_of(ranking: Ranking[TrialData]) -> Winner | None:
    """None while no trial has completed."""
    if ranking.best is None:
        return None
    return Winner(best=ranking.best, margin=ranking.margin, noise=noise_of(ranking.points))
