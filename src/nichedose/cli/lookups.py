"""Single questions to the library and to the dose engine: `agents`, `kernel`, `svalue`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from nichedose.cli.app import Json, app
from nichedose.errors import BadInput

__all__ = ["agents", "kernel", "svalue"]

QualityOption = Annotated[
    str | None, typer.Option(
        help="alpha, recoil, beta, conversion, auger or photon, or several with commas; all without it.")]
DecayDataOption = Annotated[
    str | None, typer.Option(help="Decay data: 'icrp107' (the default) or 'ensdf'.")]
DaughtersOption = Annotated[
    str, typer.Option(help="'none', or 'equilibrium': all progeny decay in place, per decay of the parent.")]


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
    decay_data: DecayDataOption = None,
    as_json: Json = False,
) -> None:
    """Dose at a distance from a point source in water, Gy per decay."""
    from nichedose.dose.tables import kernel_table

    table = kernel_table(nuclide, radii, quality, daughters, decay_data)
    print(json.dumps(table.as_dict()) if as_json else table.as_text())


@app.command()
def svalue(
    nuclide: Annotated[str, typer.Argument(metavar="NUCLIDE", help="177Lu and Lu-177 are both understood.")],
    sphere: Annotated[str | None, typer.Option(help="Diameter of a sphere that holds the source: '100um'.")] = None,
    voxel: Annotated[str | None, typer.Option(help="Side of a voxel, '3mm', or of z, y, x: '4mm,3mm,3mm'.")] = None,
    shape: Annotated[int | None, typer.Option(help="With --voxel: voxels along each side, odd; 11 without it.")] = None,
    cell: Annotated[str | None, typer.Option(help="Radius of a cell, with --nucleus: '7um'.")] = None,
    nucleus: Annotated[str | None, typer.Option(help="Radius of its nucleus: '5um'.")] = None,
    density: Annotated[str | None, typer.Option(help="With --sphere or --voxel: '1.04 g/mL'; 1 without it.")] = None,
    quality: QualityOption = None,
    daughters: DaughtersOption = "none",
    decay_data: DecayDataOption = None,
    as_json: Json = False,
) -> None:
    """S values of a sphere, of voxels, or between the parts of a cell, Gy per decay."""
    from nichedose.dose.tables import cell_table, sphere_table, voxel_table

    asked = [name for name, value in (("--sphere", sphere), ("--voxel", voxel), ("--cell", cell)) if value is not None]
    if len(asked) != 1:
        raise BadInput(f"Give one of --sphere, --voxel and --cell; found {', '.join(asked) or 'none'}.")
    if (cell is None) != (nucleus is None):
        raise BadInput("--cell and --nucleus go together: give the radii of both.")
    if shape is not None and voxel is None:
        raise BadInput("--shape goes with --voxel: the number of voxels along each side.")
    if density is not None and cell is not None:
        raise BadInput("--density goes with --sphere or --voxel; cells are computed in water of 1 g/mL.")
    if sphere is not None:
        table = sphere_table(nuclide, sphere, quality, daughters, decay_data, density)
    elif voxel is not None:
        table = voxel_table(nuclide, voxel, 11 if shape is None else shape, quality, daughters, decay_data, density)
    else:
        assert cell is not None and nucleus is not None
        table = cell_table(nuclide, cell, nucleus, quality, daughters, decay_data)
    print(json.dumps(table.as_dict()) if as_json else table.as_text())
