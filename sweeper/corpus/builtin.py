"""The corpus that is on every machine: the sources of Python's standard library."""

from pathlib import Path

from rich.console import Console

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.meta import Meta
from sweeper.corpus.preparation import DEFAULT_TOKENIZER, DEFAULT_VAL_FRACTION, prepare
from sweeper.corpus.progress import tell_meanwhile
from sweeper.corpus.staging import OutputExistsError
from trainable.errors import DataError

ROOT = Path("data")
DEFAULT_CORPUS = "python-stdlib"


def prepare_default(root: Path = ROOT, *, console: Console | None = None) -> Path:
    """The folder `root/python-stdlib`. The first call makes it, later ones take it as it is.

    Two processes may call this at once: both prepare it, and the second to finish takes the folder
    of the first, which is the same.

    Raises:
        DataError: there is such a folder, but it holds something else.
    """
    folder = CorpusFolder(root / DEFAULT_CORPUS)
    if not folder.meta.exists():
        if console is not None:
            tell_meanwhile(console, f"Preparing the built-in corpus, once: {folder.path}")
        try:
            prepare([], folder.path, console=console)
        except OutputExistsError:
            if not folder.meta.exists():
                raise DataError(
                    f"{folder.path}: the built-in corpus is made there, and something else is in "
                    "the way; remove it or rename it"
                ) from None
    meta = Meta.read(folder)
    if (meta.tokenizer, meta.val_fraction) != (DEFAULT_TOKENIZER, DEFAULT_VAL_FRACTION):
        raise DataError(
            f"{folder.path}: is not the built-in corpus: it was made with --tokenizer "
            f"{meta.tokenizer} --val_fraction {meta.val_fraction:g}; rename the folder "
            "(to use it, name it as the sweep's data)"
        )
    return folder.path
