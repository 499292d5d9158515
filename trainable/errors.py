"""The one family of errors that a user can cause: shown as a message, never as a traceback."""


class UserError(Exception):
    """Something the user can put right. The message says what, where and how; exit code 2."""


class ConfigError(UserError):
    """A setting that cannot be: `key` names it, `problem` says what would be right."""

    def __init__(self, key: str, problem: str) -> None:
        self.key = key
        self.problem = problem
        super().__init__(f"{key}: {problem}")


class DataError(UserError):
    """A data file that cannot be trained on."""


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged, or of another model."""


class DeviceError(UserError):
    """A device that this machine lacks, or one too small for the run."""


class OutputFolderError(UserError):
    """An output folder that is another run's, or whose files are damaged."""


class ProcessesDifferError(UserError):
    """Processes of a run that would not train the same one."""


class ProcessLostError(UserError):
    """A process of a run of several that has ended, or does not answer."""
