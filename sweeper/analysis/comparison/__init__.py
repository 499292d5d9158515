"""Several sweeps side by side, and whether they can be compared: values in, values out."""
