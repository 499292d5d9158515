"""The report of a sweep, drawn from its summary: one HTML file and pictures."""

from sweeper.views.report.writing import Report, write_report

__all__ = ["Report", "write_report"]
