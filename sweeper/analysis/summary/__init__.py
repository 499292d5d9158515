"""What a sweep has found out. `load` reads a run folder, `summarise` computes; neither draws."""

from sweeper.analysis.summary.loading import load
from sweeper.analysis.summary.summarising import Summary, summarise
from sweeper.analysis.summary.sweep_data import SweepData

__all__ = ["Summary", "SweepData", "load", "summarise"]
