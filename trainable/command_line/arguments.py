"""The command line, made from the config dataclasses: a field is a flag, declared nowhere else."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from trainable.command_line.checkpoint_argument import checkpoints_in
from trainable.command_line.options import ProgramOptions
from trainable.command_line.output_folder import OutputFolder, is_checkpoint_of_a_run
from trainable.config import TrainConfig
from trainable.errors import CheckpointError, ConfigError
from trainable.settings import OTHER_NAMES, nearest, typed
from trainable.weights.checkpoint import newest_good_checkpoint


def parse_command_line(arguments: Sequence[str]) -> tuple[TrainConfig, ProgramOptions]:
    """The run that the arguments ask for.

    With `--resume_from` the checkpoint's config is the base, and the flags given change it.

    Raises:
        UserError: an unknown flag, a value no setting can have, an unreadable checkpoint.
    """
    parser = build_parser()
    namespace, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].split("=")[0]
        raise ConfigError(name, f"no such flag{_hint(name, parser)}")
    given = vars(namespace)
    options = ProgramOptions(**typed_settings(ProgramOptions, given))
    base: dict[str, Any] = {}
    if options.resume_from is not None:
        found = newest_good_checkpoint(resume_candidates(Path(options.resume_from)))
        for problem in found.bad:
            print(f"warning: {problem}", file=sys.stderr)
        if found.path is None or found.checkpoint is None:
            raise CheckpointError(f"{options.resume_from}: no checkpoint here can be resumed from")
        base = found.checkpoint.config.to_dict()
        options = replace(options, resume_from=str(found.path))
        if "output_dir" not in given and is_checkpoint_of_a_run(found.path):
            options = replace(options, output_dir=str(found.path.parent))
    return TrainConfig.from_mapping({**base, **typed_settings(TrainConfig, given)}), options


def _hint(name: str, parser: argparse.ArgumentParser) -> str:
    plain = name.lstrip("-").replace("-", "_")
    for flag, words in OTHER_NAMES.items():
        if plain in words.split():
            return f"; did you mean '--{flag}'?"
    flags = [flag for flag in parser._option_string_actions if flag.startswith("--")]
    return nearest(name, [flag for flag in flags if flag != "--help"])


def resume_candidates(path: Path) -> list[Path]:
    """`path` and, should it be damaged, the other checkpoints of its folder, newest first.

    Raises:
        CheckpointError: there is no such file or folder.
    """
    if path.is_dir():
        return checkpoints_in(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    return [path, *(other for other in OutputFolder(path.parent).checkpoints() if other != path)]


def build_parser() -> argparse.ArgumentParser:
    """A flag for every field of both dataclasses, spelled `--d_model` or `--d-model`."""
    parser = argparse.ArgumentParser(
        prog="python -m trainable",
        description="Train a transformer language model. Numbers may be written 1e-4; a setting "
        "that can be off takes `none`.",
        argument_default=argparse.SUPPRESS,  # so that only the flags given override a checkpoint
        allow_abbrev=False,
    )
    for title, settings in (("training", TrainConfig), ("program", ProgramOptions)):
        group = parser.add_argument_group(title)
        types = get_type_hints(settings)
        for spec in fields(settings):
            _add_flag(group, spec, types[spec.name])
    return parser


def _add_flag(group: argparse._ArgumentGroup, spec: Field[Any], expected: Any) -> None:
    flags = dict.fromkeys((f"--{spec.name}", f"--{spec.name.replace('_', '-')}"))
    help = f"{spec.metadata['help']} (default: {'none' if spec.default is None else spec.default})"
    if expected is bool:
        group.add_argument(*flags, help=help, action=argparse.BooleanOptionalAction)
    else:
        group.add_argument(*flags, help=help, metavar=spec.name.upper())


def typed_settings(settings: type, given: dict[str, Any]) -> dict[str, Any]:
    """Those of the flags given which are fields of `settings`, as values of the fields' types."""
    types = get_type_hints(settings)
    return {
        name: typed(name, _read(value, types[name]), types[name])
        for name, value in given.items()
        if name in types
    }


def _read(text: Any, expected: Any) -> Any:
    """A flag's text as the value it means; text that means no number stays, to be refused."""
    optional = type(None) in getattr(expected, "__args__", ())
    if optional and text in ("none", "null"):
        return None
    if expected is str or not isinstance(text, str) or not text.isascii():
        return text  # Python reads the digits of every script
    numeric = {int, float} & {expected, *getattr(expected, "__args__", ())}
    for number in (int, float) if numeric else ():
        try:
            return number(text)
        except ValueError:
            continue
    return text
