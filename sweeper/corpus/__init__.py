"""Data preparation: text in, a folder of training and validation tokens out."""
