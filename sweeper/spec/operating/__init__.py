"""How a sweep behaves on machines that it shares with others: what it may spend, its share
of them, who is told of its end, and where its trials are logged."""
