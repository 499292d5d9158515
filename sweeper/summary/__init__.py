"""What a sweep has found out. `load` reads a run folder, `summarise` computes; neither draws."""

from sweeper.summary.loading import load
from sweeper.summary.summarising import Summary, summarise
from sweeper.summary.sweep_data import SweepData

__all__ = ["Summary", "SweepData", "load", "summarise"]
