"""The command line. Exit codes: 0 done; 1 a check failed or nothing evaluable; 2 bad input; 130 interrupted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from nichedose import __version__
from nichedose.errors import BadInput, NichedoseError

__all__ = ["app", "main"]

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

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, for machines.")]
QualityOption = Annotated[
    str | None, typer.Option(help="alpha, recoil, beta, conversion, auger or photon; all without it.")]
DaughtersOption = Annotated[
    str, typer.Option(help="'none', or 'equilibrium': all progeny decay in place, per decay of the parent.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


def main() -> None:
    """Entry point: our own errors become one message and an exit code; no traceback for a user's mistake."""
    try:
        app()
    except NichedoseError as error:
        _fail(str(error))
        raise SystemExit(EXIT_BAD_INPUT if isinstance(error, BadInput) else EXIT_FAILED) from None
    except OSError as error:  # a full disk, a folder without permission
        _fail(str(error))
        raise SystemExit(EXIT_BAD_INPUT) from None


def _fail(message: str) -> None:
    if "--json" in sys.argv:
        print(json.dumps({"error": message}))
    print(f"nichedose: {message}", file=sys.stderr)


@app.command()
def plan(
    case_file: Annotated[Path, typer.Argument(metavar="CASE.toml", help="`nichedose new` writes a template.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder, instead of the case's.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier results in that folder.")] = False,
    draws: Annotated[int | None, typer.Option(min=0, max=4096, help="Joint draws, instead of the case's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed, instead of the case's.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; results do not depend on it.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Read a tumour section, try every candidate in it, and write a report."""
    changes = {"draws": draws, "seed": seed, "workers": workers}
    _plan(case_file, output, overwrite, {k: v for k, v in changes.items() if v is not None}, quiet, as_json)


def _plan(
    case_file: Path, output: Path | None, overwrite: bool, sampling: dict[str, int], quiet: bool, as_json: bool
) -> None:
    from nichedose.case import resolve_path
    from nichedose.io import prepare_output, read_case, write_results
    from nichedose.report import render_report
    from nichedose.study import run_plan

    case = read_case(case_file)
    case = case.model_copy(update={"sampling": case.sampling.model_copy(update=sampling)})
    folder = output if output is not None else resolve_path(case_file, case.output.folder)
    replace = overwrite or case.output.overwrite
    try:
        with prepare_output(folder, replace), _progress(quiet) as progress:
            run = run_plan(case, case_file.read_text(encoding="utf-8"), case_file, progress=progress)
            progress("writing", 0, 1)
            html = render_report(run.result)
            write_results(
                folder, run.result, html, overwrite=replace, assays=run.assays, obs_columns=run.spot_columns)
            progress("writing", 1, 1)
    except KeyboardInterrupt:
        _fail("interrupted; earlier results are as they were.")
        raise
    evaluated = [c for c in run.result.candidates if c.modes[run.result.decide_by].evaluable]
    if as_json:
        print(json.dumps(_summary(run.result, folder)))
    else:
        print(run.result.answer)
        print(f"Report: {folder / 'report.html'}")
    if not evaluated:
        raise typer.Exit(EXIT_FAILED)


def _summary(result: Any, folder: Path) -> dict[str, Any]:
    """The machine's view of a plan: the answer, and each candidate's place in each mode."""
    candidates = []
    for c in result.candidates:
        modes = {
            name: {
                "evaluable": m.evaluable, "reason": m.reason, "rank": m.rank, "probability_best": m.probability_best,
                "probability_best_se": m.probability_best_se,
                **{key: None if getattr(m, key) is None else vars(getattr(m, key))
                   for key in ("activity_MBq", "mean_dose_Gy", "log_kill", "worst_decile_survival", "bed_Gy", "tcp")},
            }
            for name, m in c.modes.items()
        }
        candidates.append({"name": c.name, "status": c.status, "reasons": list(c.reasons), "sentence": c.sentence,
                           "modes": modes})
    return {"answer": result.answer, "decide_by": result.decide_by, "folder": str(folder),
            "report": str(folder / "report.html"), "candidates": candidates}


@app.command()
def new(
    case_file: Annotated[Path, typer.Argument(metavar="CASE.toml")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write a commented case template."""
    from nichedose.case_template import template_text

    if case_file.exists() and not force:
        raise BadInput(f"{case_file} exists; choose another name or add --force.")
    if not case_file.parent.is_dir():
        raise BadInput(f"The folder {case_file.parent} does not exist.")
    case_file.write_text(template_text(), encoding="utf-8")
    print(f"Wrote {case_file}. Edit it, then run: nichedose plan {case_file}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the synthetic section and its results go.")],
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a synthetic Visium section and a case, and run `plan` on it."""
    from nichedose.demo import write_demo

    case_file = write_demo(folder)
    _plan(case_file, None, True, {}, quiet, as_json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the case file, for editors."""
    from nichedose.io import case_json_schema

    print(json.dumps(case_json_schema(), indent=2))


@app.command()
def agents(as_json: Json = False) -> None:
    """List the agents of the library."""
    from nichedose.library import load_library

    library = load_library()
    rows = [
        {"agent": a.name, "target": library.forms[a.form].target, "form": a.form, "radionuclide": a.radionuclide,
         "status": a.status}
        for a in library.agents.values()
    ]
    if as_json:
        print(json.dumps(rows))
        return
    width = max(len(r["agent"]) for r in rows)
    for r in rows:
        print(f"{r['agent']:<{width}}  {r['target']:<7} {r['status']}")


@app.command()
def kernel(
    nuclide: Annotated[str, typer.Argument(metavar="NUCLIDE", help="177Lu and Lu-177 are both understood.")],
    radii: Annotated[str, typer.Option(help="Distances with units, separated by commas: '10um,1mm,5cm'.")],
    quality: QualityOption = None,
    daughters: DaughtersOption = "none",
    as_json: Json = False,
) -> None:
    """Dose at a distance from a point source in water, Gy per decay."""
    from nichedose.dose.tables import kernel_table

    table = kernel_table(nuclide, radii, quality, daughters)
    print(json.dumps(table.as_dict()) if as_json else table.as_text())


@app.command()
def svalue(
    nuclide: Annotated[str, typer.Argument(metavar="NUCLIDE", help="177Lu and Lu-177 are both understood.")],
    sphere: Annotated[str | None, typer.Option(help="Diameter of a sphere that holds the source: '100um'.")] = None,
    voxel: Annotated[str | None, typer.Option(help="Side of a voxel, '3mm', or of z, y, x: '4mm,3mm,3mm'.")] = None,
    shape: Annotated[int, typer.Option(help="With --voxel: voxels along each side, odd.")] = 11,
    cell: Annotated[str | None, typer.Option(help="Radius of a cell, with --nucleus: '7um'.")] = None,
    nucleus: Annotated[str | None, typer.Option(help="Radius of its nucleus: '5um'.")] = None,
    quality: QualityOption = None,
    daughters: DaughtersOption = "none",
    as_json: Json = False,
) -> None:
    """S values of a sphere, of voxels, or between the parts of a cell, Gy per decay."""
    from nichedose.dose.tables import cell_table, sphere_table, voxel_table

    asked = [name for name, value in (("--sphere", sphere), ("--voxel", voxel), ("--cell", cell)) if value is not None]
    if len(asked) != 1:
        raise BadInput(f"Give one of --sphere, --voxel and --cell; found {', '.join(asked) or 'none'}.")
    if (cell is None) != (nucleus is None):
        raise BadInput("--cell and --nucleus go together: give the radii of both.")
    if sphere is not None:
        table = sphere_table(nuclide, sphere, quality, daughters)
    elif voxel is not None:
        table = voxel_table(nuclide, voxel, shape, quality, daughters)
    else:
        assert cell is not None and nucleus is not None
        table = cell_table(nuclide, cell, nucleus, quality, daughters)
    print(json.dumps(table.as_dict()) if as_json else table.as_text())


@app.command()
def check(as_json: Json = False) -> None:
    """Compare our numbers with published, analytic and independent ones."""
    from nichedose.check import collect, format_table, to_json

    rows = collect()
    print(json.dumps(to_json(rows), indent=1) if as_json else format_table(rows))
    if not all(row.ok for row in rows):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show versions, devices and memory, and run the engines' self-tests."""
    from nichedose.doctor import diagnose, format_doctor

    found = diagnose()
    print(json.dumps(found, indent=1) if as_json else format_doctor(found))
    if not found.get("ok", False):
        raise typer.Exit(EXIT_FAILED)


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
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
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


if __name__ == "__main__":
    main()
