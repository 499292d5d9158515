"""How long a failed trial waits for its next attempt."""

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


def backoff_seconds(failed_attempts: int) -> float:
    """1, 2, 4, … seconds, at most a minute: what is briefly out of order has time to recover."""
    if failed_attempts < 1:
        return 0.0
    doublings = min(failed_attempts - 1, 10)  # a float does not hold 2 ** 2000
    return float(min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**doublings))
