"""meta.json: the typed record of how a prepared folder was made."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sweeper.corpus.folder import CorpusFolder
from sweeper.corpus.reading.inputs import Source
from sweeper.corpus.tokens.tokenization import TokenDtype
from trainable.errors import DataError


class SetMeta(BaseModel):
    """A validation set with a name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int = Field(ge=1)
    bytes: int
    documents: int
    sources: list[Source]


class Meta(BaseModel):
    """Everything about a prepared folder that its arrays do not say themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    vocab_size: int = Field(ge=1, description="every token id is below this")
    dtype: TokenDtype
    separator: int | None = Field(description="id of the token after each document")
    tokenizer: str = Field(description="the --tokenizer argument")
    bytes_per_token: float = Field(gt=0, description="UTF-8 text bytes / tokens, validation")
    train_tokens: int = Field(ge=1)
    val_tokens: int = Field(ge=1)
    train_bytes: int = Field(description="UTF-8 bytes of text, separators not counted")
    val_bytes: int
    documents: int
    val_documents: int
    val_fraction: float = Field(description="the share that was asked for")
    text_field: str
    sha256: dict[str, str] = Field(description="file name -> hash of the file")
    sources: list[Source]
    skipped_files: int = Field(description="files in folders that are not UTF-8 text")
    val_sets: dict[str, SetMeta] = {}

    @classmethod
    def read(cls, folder: CorpusFolder) -> Self:
        """Raises:
        DataError: there is no meta.json, or not one of this format.
        """
        try:
            return cls.model_validate_json(folder.meta.read_bytes())
        except OSError as error:
            raise DataError(
                f"{folder.meta}: cannot be read ({error.strerror}); {folder.remedy()}"
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the file"
            raise DataError(
                f"{folder.meta}: {key}: {first['msg']}; prepare the folder again under another name"
            ) from error

    def write(self, folder: CorpusFolder) -> None:
        unneeded = None if self.val_sets else {"val_sets"}
        text = self.model_dump_json(indent=2, exclude=unneeded)
        folder.meta.write_text(text + "\n", encoding="utf-8")
