"""Sweeps as Ray Jobs: submitted from anywhere, and again where the driver is lost."""
