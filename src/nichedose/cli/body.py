"""What the whole body gets: `body`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from nichedose.cli.app import CaseFile, Json, Page, Quiet, app, new_file, progress_bars

__all__ = ["body"]


@app.command()
def body(
    case_file: CaseFile,
    page: Page = None,
    organs: Annotated[
        Path | None, typer.Option("--organs", callback=new_file, help="Write the organ table to this CSV file.")
    ] = None,
    curves: Annotated[
        Path | None, typer.Option("--curves", callback=new_file, help="Write activity over time to this CSV file.")
    ] = None,
    points: Annotated[
        Path | None, typer.Option("--points", callback=new_file, help="Write measured against fitted to this CSV file.")
    ] = None,
    parameters: Annotated[
        Path | None, typer.Option("--parameters", callback=new_file, help="Write fitted parameters to this CSV file.")
    ] = None,
    sbml: Annotated[
        Path | None, typer.Option("--sbml", help="Write each candidate's body after a bolus to this folder, as SBML.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Kinetics and dose in every organ, and the activity that the organs allow; fitted to what was measured.

    The section is not read.
    """
    from nichedose.errors import BadInput
    from nichedose.io import read_case, read_measured_activity
    from nichedose.io.result_store import file_names, jsonable
    from nichedose.io.tidy import write_csv
    from nichedose.report import findings_text, render_findings
    from nichedose.study.body_findings import body_report
    from nichedose.study.body_rows import OrganRow
    from nichedose.study.measured_findings import ParameterRow, PointRow

    if sbml is not None and not (sbml.is_dir() or (not sbml.exists() and sbml.parent.is_dir())):
        raise BadInput(f"--sbml {sbml}: give a folder, or a new one in a folder that exists.")
    case = read_case(case_file)
    if (points or parameters) and not case.measured_activity:
        raise BadInput("--points and --parameters need a [[measured_activity]] in the case: nothing is fitted without.")
    with progress_bars(quiet) as progress:
        report = body_report(case, read_measured_activity(case, case_file), progress=progress)
    found = report.findings
    if page is not None:
        page.write_text(render_findings(found), encoding="utf-8")
    for place, row, rows in ((organs, OrganRow, report.organs), (points, PointRow, report.points),
                             (parameters, ParameterRow, report.parameters)):
        if place is not None:
            head = [f.name for f in dataclasses.fields(row)]
            write_csv(place, head, ([getattr(r, name) for name in head] for r in rows))
    if curves is not None:
        write_csv(curves, ("candidate", "place", "time_h", "activity_MBq"), report.curves)
    if sbml is not None:
        sbml.mkdir(exist_ok=True)
        for name, text in zip(file_names(tuple(report.sbml)), report.sbml.values(), strict=True):
            (sbml / f"{name}.xml").write_text(text, encoding="utf-8")
    if as_json:
        print(json.dumps(jsonable({"answer": found.answer, **found.numbers})))
        return
    print(findings_text(found))
    for name, file in (("Page", page), ("Organs", organs), ("Curves", curves), ("Points", points),
                       ("Parameters", parameters), ("SBML", sbml)):
        if file is not None:
            print(f"{name}: {file}")
