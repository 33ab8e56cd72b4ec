"""Organ S values and organ doses: `organs`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from nichedose.cli.app import Json, app
from nichedose.errors import BadInput

__all__ = ["organs"]


@app.command()
def organs(
    nuclide: Annotated[str, typer.Argument(metavar="NUCLIDE", help="177Lu and Lu-177 are both understood.")],
    phantom: Annotated[str, typer.Option(help="adult_male or adult_female.")] = "adult_male",
    target: Annotated[str | None, typer.Option(help="The organ that receives; all without it.")] = None,
    origin: Annotated[str | None, typer.Option("--source", help="The organ that holds; all without it.")] = None,
    activity: Annotated[
        list[str] | None,
        typer.Option(help="Time-integrated activity in MBq.h, 'kidneys=120'; repeatable. Gives doses, not S values."),
    ] = None,
    mass: Annotated[list[str] | None, typer.Option(help="An organ's mass, 'kidneys=280g'; repeatable.")] = None,
    daughters: Annotated[
        str, typer.Option(help="'none', or 'equilibrium': all progeny decay in place, per decay of the parent.")
    ] = "none",
    as_json: Json = False,
) -> None:
    """Dose between organs of a stylised adult, Gy per decay; or organ doses from activities."""
    from nichedose.dose.organ_tables import organ_dose_table, organ_s_table, parse_masses

    if daughters not in ("none", "equilibrium"):
        raise BadInput(f"--daughters = '{daughters}'; it must be 'none' or 'equilibrium'.")
    masses = parse_masses(mass or [])
    if activity:
        if target or origin:
            raise BadInput("--activity names the sources and gives all organs' doses; leave out --target and --source.")
        table = organ_dose_table(nuclide, phantom, activity, masses, daughters)  # type: ignore[arg-type]
    else:
        table = organ_s_table(nuclide, phantom, target, origin, masses, daughters)  # type: ignore[arg-type]
    print(json.dumps(table.as_dict()) if as_json else table.as_text())
