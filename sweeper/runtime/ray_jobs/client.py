"""Ray's own jobs, of which a sweep needs no more than that one is started. What Ray says of a job
is asked for nowhere: one whose machine is gone may be called running for ever."""

import shlex

from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from sweeper.errors import ResourceError


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
        try:
            self._client = JobSubmissionClient(address)
        except (OSError, RuntimeError, ValueError) as error:
            raise self._error("no Ray dashboard answers there", error) from None
        except AuthenticationError as error:
            raise self._error("it refuses", error) from None

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
        try:
            self._client.submit_job(
                entrypoint=f"exec {shlex.join(command)}",
                submission_id=job,
                metadata=about,
                runtime_env={"env_vars": variables},
            )
        except (OSError, RuntimeError, AuthenticationError) as error:
            raise self._error("the job could not be started", error) from None

    def _error(self, what: str, error: Exception) -> ResourceError:
        said = " ".join(str(error).split(".")[0].split())[:200] or type(error).__name__
        return ResourceError(
            f"--address {self.address}: {what} ({said}); it is Ray's dashboard, as "
            "http://HOST:8265, and where it asks for a token: RAY_AUTH_MODE=token, and "
            "RAY_AUTH_TOKEN or ~/.ray/auth_token"
        )
