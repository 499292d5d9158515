"""Objects in buckets, their addresses, and where this machine keeps what it has of them."""
