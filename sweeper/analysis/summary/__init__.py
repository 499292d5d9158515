"""What a sweep has found out. `load` reads a run folder, `summarise` computes; neither draws."""

from sweeper.analysis.reading.loading import load
from sweeper.analysis.reading.sweep_data import SweepData
from sweeper.analysis.summary.summarising import Summary, summarise

__all__ = ["Summary", "SweepData", "load", "summarise"]
