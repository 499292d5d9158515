"""Commands for sweeps that a cluster runs: `submit`, `keep`, `wait`, `logs`."""
