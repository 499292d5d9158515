"""Ray's own jobs, of which a sweep needs no more than that one is started. What Ray says of a job
is asked for nowhere: one whose machine is gone may be called running for ever."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from sweeper.errors import ResourceError

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 60.0
USER_AND_PASSWORD = re.compile(r"(?<=//)[^/\s]*@")
# What Ray's client raises where no dashboard answers, or something else does.
FAULTS = (OSError, RuntimeError, ValueError, LookupError, TypeError, AssertionError)


class PatientClient(JobSubmissionClient):  # type: ignore[misc]  # Ray has no types for it
    """Ray's own waits for ever."""

    def _do_request(self, *args: Any, **kwargs: Any) -> Any:
        timeout = (CONNECT_SECONDS, ANSWER_SECONDS)
        return super()._do_request(*args, **kwargs, timeout=timeout)


class Jobs:
    """The jobs of one cluster.

    Raises:
        ResourceError: no dashboard answers at the address, or not to us.
    """

    def __init__(self, address: str) -> None:
        """
        Args:
            address: Of Ray's dashboard, as http://HOST:8265.
        """
        self.address = address
        with self._told("no Ray dashboard answers there"):
            self._client = PatientClient(address)

    def start(
        self, job: str, command: list[str], *, about: dict[str, str], stop_seconds: int
    ) -> None:
        """Start a driver. Keys are not handed over, since all who see the dashboard would see them:
        the job has those in whose environment `ray start` was typed.

        Args:
            job: Its submission id.
            about: What the dashboard shows of it.
            stop_seconds: That it may take to end when somebody stops it.

        Raises:
            ResourceError: the cluster does not take it.
        """
        variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(stop_seconds)}
        with self._told("the job could not be started"):
            self._client.submit_job(
                entrypoint=f"exec {shlex.join(command)}",
                submission_id=job,
                metadata=about,
                runtime_env={"env_vars": variables},
            )

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except AuthenticationError as error:
            raise self._error("it refuses", error) from None
        except FAULTS as error:
            raise self._error(what, error) from None

    def _error(self, what: str, error: Exception) -> ResourceError:
        """It may be put into storage, so it has no password."""
        first = " ".join(str(error).split()).split(". ")[0].rstrip(".")
        said = USER_AND_PASSWORD.sub("", first)[:200] or type(error).__name__
        return ResourceError(
            f"--address {USER_AND_PASSWORD.sub('', self.address)}: {what} ({said}); it is Ray's "
            "dashboard, as http://HOST:8265, and where it asks for a token: RAY_AUTH_MODE=token, "
            "and RAY_AUTH_TOKEN or ~/.ray/auth_token"
        )
