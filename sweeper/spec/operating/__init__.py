"""How a sweep behaves on machines that it shares with others: what it may spend."""
