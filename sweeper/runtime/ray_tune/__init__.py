"""The Ray boundary: the only modules of this project that import ray."""
