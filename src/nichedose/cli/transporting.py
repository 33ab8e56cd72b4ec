"""`transport`: how one agent gets into one section."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from nichedose.cli.app import CaseFile, Json, Quiet, app, progress_bars

__all__ = ["transport"]


@app.command()
def transport(
    case_file: CaseFile,
    agent: Annotated[str | None, typer.Option(help="Candidate of the case; the first one otherwise.")] = None,
    section: Annotated[str | None, typer.Option(help="Section of the case; the first one otherwise.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("transport-results"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier results in that folder.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Follow one agent into one section: penetration, interstitial flow, uptake against target."""
    from nichedose.io import prepare_output, read_case
    from nichedose.io.penetration_folder import write_penetration
    from nichedose.io.result_store import jsonable
    from nichedose.report import findings_text, penetration_findings, render_findings
    from nichedose.study.penetration import penetration
    from nichedose.study.penetration_tables import penetration_maps, penetration_tables

    case = read_case(case_file)
    with prepare_output(output, overwrite), progress_bars(quiet) as progress:
        found = penetration(case, case_file, agent, section, progress=progress)
        findings = penetration_findings(found)
        write_penetration(
            output, render_findings(findings), findings.numbers, penetration_tables(found), penetration_maps(found),
            overwrite=overwrite,
        )  # fmt: skip
    if as_json:
        print(json.dumps(jsonable({"answer": findings.answer, "folder": str(output), **findings.numbers})))
    else:
        print(findings_text(findings))
        print(f"\nPage: {output / 'transport.html'}")
