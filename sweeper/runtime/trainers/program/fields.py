"""Named fields in place of regular expressions: `step {step:d}: val loss {val_loss:f}` finds the
numbers in a line of a program's output."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

from sweeper.errors import TrainerError
from trainable.settings import shown

STEP = "step"
MAX_DIGITS = 18  # of a whole number; one with more is infinite for all that is done with it
_WHOLE = r"[-+]?(?:\d{1,3}(?:[,_]\d{3})+|\d+)(?:[eE]\+?\d+)?"
_FLOAT = (
    r"[-+]?(?:(?:\d{1,3}(?:[,_]\d{3})+|\d+)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
    r"|[-+]?(?:nan|inf(?:inity)?)"
)
NUMBERS = {"d": _WHOLE, "f": _FLOAT, "": _FLOAT}
TEXT, _TEXT = "s", ".{0,200}?"  # longer, and a long line could be looked at for hours
# What a terminal takes for colours, links and character sets, and shows no letter of.
ESCAPES = re.compile(
    r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-Z\\^-~])"
)


@dataclass(frozen=True)
class LinePattern:
    """A line as a program prints it, with names where the numbers are.

    A pattern may begin anywhere in a line, though not within a word or a number; any blank is as
    good as any other. `{name:d}` is a whole number, `{name:f}` (or `{name}`) any, with separators
    of thousands, exponents, `nan` and `inf`; `{name:s}` is any text, which is passed over. Braces
    that are printed are written twice, as in `str.format`.

    Raises:
        TrainerError: it is no such pattern; as it is made.
    """

    text: str

    def __post_init__(self) -> None:
        _ = self.names

    @cached_property
    def _parts(self) -> list[tuple[str, str | None, str]]:
        """Literals, each with the field after it and its type."""
        try:
            parts = [
                (text, name, kind or "") for text, name, kind, _ in Formatter().parse(self.text)
            ]
        except ValueError as error:
            raise self._problem(f"is not readable ({error}); write a printed brace twice") from None
        for _, name, kind in parts:
            if name is not None and not name.isidentifier():
                raise self._problem(f"has a field without a name of letters: {{{name}}}")
            if kind not in (*NUMBERS, TEXT):
                raise self._problem(
                    f"has a field {{{name}:{kind}}}; there are {{{name}:d}} (a whole number), "
                    f"{{{name}:f}} (any number) and {{{name}:s}} (any text)"
                )
        texts = [text for text, _, _ in parts] + [""]
        for place, (_, name, kind) in enumerate(parts):
            if kind == TEXT and not (texts[place].strip() and texts[place + 1].strip()):
                raise self._problem(f"has {{{name}:s}} where no text is on both sides of it")
        return parts

    @cached_property
    def names(self) -> tuple[str, ...]:
        names = tuple(name for _, name, kind in self._parts if name is not None and kind != TEXT)
        if len(set(names)) != len(names):
            raise self._problem("names a field twice")
        if STEP not in names:
            raise self._problem("has no {step:d}: metrics belong to a step")
        if len(names) == 1:
            raise self._problem("finds no metric beside the step, as {val_loss:f}")
        return names

    def _problem(self, problem: str) -> TrainerError:
        return TrainerError(f"trainer.metrics.stdout: {shown(self.text)} {problem}")

    @cached_property
    def _exact(self) -> re.Pattern[str]:
        return self._compiled(lambda kind: NUMBERS[kind])

    @cached_property
    def _loose(self) -> re.Pattern[str]:
        """With any words where numbers should be."""
        return self._compiled(lambda kind: r"\S+")

    def _compiled(self, number: Callable[[str], str]) -> re.Pattern[str]:
        pattern = ""
        for place, (text, name, kind) in enumerate(self._parts):
            pattern += r"\s+".join(map(re.escape, re.split(r"\s+", text)))
            if kind == TEXT:
                pattern += _TEXT
            elif name is not None:
                follows = self._parts[place + 1][0] if place + 1 < len(self._parts) else ""
                # 1.5 is not found in 1.5.2, nor 0 in 0,25; where a text follows, it is the end.
                end = "" if follows[:1].strip() else r"(?![\w%]|[.,:]\d)"
                pattern += f"(?P<{name}>{number(kind)}){end}"
        return re.compile(r"(?<![\w.])" + pattern, re.IGNORECASE)

    def read(self, line: str) -> dict[str, float | int] | None:
        """The numbers in this line; None if it is another line.

        Raises:
            TrainerError: it is such a line, and has a word where a number belongs.
        """
        if (found := self._exact.search(line)) is not None:
            return {name: _number(text) for name, text in found.groupdict().items()}
        if (found := self._loose.search(line)) is None:
            return None
        for _, name, kind in self._parts:
            if name in self.names and not re.fullmatch(NUMBERS[kind], found[name], re.IGNORECASE):
                number = "a whole number" if kind == "d" else "a number"
                raise TrainerError(
                    f"{shown(line)}: {name} must be {number} (trainer.metrics.stdout), "
                    f"got {shown(found[name])}"
                )
        return None


def _number(text: str) -> float | int:
    plain = re.sub("[,_]", "", text)
    is_whole = len(plain) <= MAX_DIGITS and re.fullmatch(r"[-+]?\d+", plain)
    return int(plain) if is_whole else float(plain)
