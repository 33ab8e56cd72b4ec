"""The application object, what all commands share, and how they end."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from nichedose import __version__
from nichedose.errors import BadInput, NichedoseError

__all__ = [
    "EXIT_BAD_INPUT", "EXIT_FAILED", "CaseFile", "Json", "Page", "Quiet", "app", "fail", "main", "new_file",
    "progress_bars", "quantity",
]

app = typer.Typer(
    name="nichedose",
    help="From a tumour section to a ranking of radiopharmaceuticals, with uncertainty. "
    "Research software, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

EXIT_FAILED, EXIT_BAD_INPUT = 1, 2  # an interrupted command ends with 130, which typer sees to


def new_file(place: Path | None) -> Path | None:
    """An option's file that is to be written: a mistake is told before anything is computed, not after."""
    if place is not None and place.is_dir():
        raise BadInput(f"{place} is a folder; give the name of a file in it.")
    if place is not None and not place.parent.is_dir():
        raise BadInput(f"The folder {place.parent} does not exist.")
    return place


def quantity(option: str, text: str, unit: str, *, minimum: float | None = 0.0) -> float:
    """An option's ``text`` as a number in ``unit``; a mistake names the option."""
    from nichedose.quantities import parse_quantity

    try:
        return parse_quantity(text, unit, minimum=minimum)
    except BadInput as error:
        raise BadInput(f"{option}: {error}") from error


CaseFile = Annotated[Path, typer.Argument(metavar="CASE.toml", help="`nichedose new` writes a template.")]
Page = Annotated[
    Path | None, typer.Option("--page", callback=new_file, help="Write the findings to this HTML file as well.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


class _Lenient(io.FileIO):
    """A file or pipe that drops all after a failure; a reader that has gone (``| head``) is none to speak of."""

    lost = False

    def write(self, data: Any, /) -> int:
        if not self.lost:
            try:
                return super().write(data)
            except OSError as error:
                self.lost = True
                if not isinstance(error, BrokenPipeError):
                    raise
        return memoryview(data).nbytes


def _outlive_reader(stream: TextIO) -> TextIO:
    """``stream``, or in place of a file or pipe one after whose failure the command ends with its own exit code."""
    try:
        number = stream.fileno()
    except (OSError, ValueError, AttributeError):  # a test's capture, closed, none at all
        return stream
    if stream.isatty():
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Lenient(number, "wb", closefd=False)), encoding=stream.encoding, errors=stream.errors,
        line_buffering=stream is sys.stderr)


def main() -> None:
    """Entry point: our own errors become one message and an exit code; no traceback for a user's mistake."""
    sys.stdout, sys.stderr = _outlive_reader(sys.stdout), _outlive_reader(sys.stderr)
    try:
        try:
            app()
        finally:
            if sys.stdout:
                sys.stdout.flush()  # here, where a full disk is still told
    except NichedoseError as error:
        fail(str(error))
        raise SystemExit(EXIT_BAD_INPUT if isinstance(error, BadInput) else EXIT_FAILED) from None
    except OSError as error:  # a full disk, a folder without permission
        fail(str(error))
        raise SystemExit(EXIT_BAD_INPUT) from None


def fail(message: str) -> None:
    if "--json" in sys.argv:
        print(json.dumps({"error": message}))
    print(f"nichedose: {message}", file=sys.stderr)


def _version(asked: bool) -> None:
    if asked:
        print(f"nichedose {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@contextmanager
def progress_bars(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars on stderr, one per stage."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report
