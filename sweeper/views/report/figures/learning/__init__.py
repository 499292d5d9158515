"""Learning curves: their lines, their points, the marks on them."""
