"""`plan` and the commands around a case: `new`, `demo`, `schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from nichedose.cli.app import EXIT_FAILED, CaseFile, Json, Quiet, app, fail, progress_bars
from nichedose.errors import BadInput

__all__ = ["demo", "new", "plan", "schema"]


@app.command()
def plan(
    case_file: CaseFile,
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
        with prepare_output(folder, replace), progress_bars(quiet) as progress:
            run = run_plan(case, case_file.read_text(encoding="utf-8"), case_file, progress=progress)
            progress("writing", 0, 1)
            html = render_report(run.result)
            write_results(
                folder, run.result, html, overwrite=replace, assays=run.assays, obs_columns=run.spot_columns)
            progress("writing", 1, 1)
    except KeyboardInterrupt:
        fail("interrupted; earlier results are as they were.")
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
    case_file: Annotated[Path, typer.Argument(metavar="CASE.toml", help="The file to write.")],
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
