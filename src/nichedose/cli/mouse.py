"""From mice to patients: `mouse`."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Annotated

import typer

from nichedose.cli.app import Json, Page, Quiet, app, new_file, progress_bars, quantity

__all__ = ["mouse"]


@app.command()
def mouse(
    table: Annotated[Path, typer.Argument(metavar="TABLE.csv", help="Organs x times; docs/theory/mouse.md.")],
    agent: Annotated[str, typer.Option(help="An agent of the library: what the patient gets.")],
    ligand: Annotated[str, typer.Option(help="Ligand per mouse, labelled and not: '0.1 nmol'.")],
    label: Annotated[str | None, typer.Option(help="Radionuclide in the mice; the agent's without it.")] = None,
    weight: Annotated[str, typer.Option(help="Of a mouse.")] = "25 g",
    tumour_mass: Annotated[str | None, typer.Option(help="Mean at dissection; assumed, wide, without it.")] = None,
    relative_error: Annotated[float, typer.Option(help="Of points without sd.")] = 0.2,
    model_sd: Annotated[float, typer.Option(help="What the model itself misses at a point.")] = 0.2,
    draws: Annotated[int, typer.Option(min=16, max=4096, help="For the patient's intervals.")] = 128,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    page: Page = None,
    residuals: Annotated[
        Path | None, typer.Option(callback=new_file, help="Write measured and fitted points to this CSV file.")
    ] = None,
    human: Annotated[
        Path | None, typer.Option(callback=new_file, help="Write the patient's organs to this CSV file.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fit the whole-body equations to a biodistribution, and predict a patient by every method of scaling."""
    from nichedose.body import Experiment, Residual
    from nichedose.io.biodistribution import read_biodistribution
    from nichedose.io.result_store import jsonable
    from nichedose.io.tidy import write_csv
    from nichedose.nuclide import half_life_h
    from nichedose.report import findings_text, render_findings
    from nichedose.study.mouse import HumanOrgan, agent_of, mouse_report

    found_agent = agent_of(agent)
    experiment = Experiment(
        ligand_nmol=quantity("--ligand", ligand, "nmol", minimum=None),
        decay_per_h=math.log(2.0) / half_life_h(label if label is not None else found_agent.radionuclide),
        weight_g=quantity("--weight", weight, "g", minimum=None),
        tumour_mass_g=None if tumour_mass is None else quantity("--tumour-mass", tumour_mass, "g", minimum=None),
        relative_error=relative_error,
        model_sd=model_sd,
    )
    points = read_biodistribution(table)
    with progress_bars(quiet) as progress:
        report = mouse_report(found_agent, points, experiment, draws=draws, seed=seed, progress=progress)
    if page is not None:
        page.write_text(render_findings(report.findings), encoding="utf-8")
    for path, kind, rows in ((residuals, Residual, report.twin.residuals), (human, HumanOrgan, report.human)):
        if path is not None:
            head = [f.name for f in dataclasses.fields(kind)]
            write_csv(path, head, ([getattr(r, name) for name in head] for r in rows))
    if as_json:
        print(json.dumps(jsonable({"answer": report.findings.answer, **report.findings.numbers})))
        return
    print(findings_text(report.findings))
    for name, place in (("Page", page), ("Residuals", residuals), ("Patient", human)):
        if place is not None:
            print(f"{name}: {place}")
