"""The training loop, what it says of itself, and the device it runs on."""
