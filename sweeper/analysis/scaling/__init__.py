"""What sizes that were swept say about one that was not: the law of the best learning rate and the
law of the loss."""
