"""`profile`: what a section is made of, before any radiopharmaceutical."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nichedose.cli.app import Json, Quiet, app, progress_bars
from nichedose.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from nichedose.tissue import SpatialAssay
    from nichedose.tissue.tme import ProfileOptions

    Progress = Callable[[str, int, int], None]

__all__ = ["profile"]

Names = Annotated[str, typer.Option(help="Labels, separated by commas.")]


@app.command()
def profile(
    data: Annotated[list[Path], typer.Argument(
        metavar="DATA...", help="Section: file or folder, as in a case. Several are sections of one lesion.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("profile-results"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier results in that folder.")] = False,
    kind: Annotated[str, typer.Option(help="Kind of data, when it cannot be recognised.")] = "auto",
    sample: Annotated[str | None, typer.Option(
        help="One of several samples; 'all' takes each of them as a section of one lesion.")] = None,
    sample_key: Annotated[str | None, typer.Option(help="Column that names the samples.")] = None,
    coordinate_unit: Annotated[str, typer.Option(help="auto, um, pixel or array.")] = "auto",
    um_per_unit: Annotated[float | None, typer.Option(help="um per pixel or array step.")] = None,
    layer: Annotated[str | None, typer.Option(help="Layer that holds raw counts.")] = None,
    rows: Annotated[str, typer.Option(help="What a row is: auto, cells or spots.")] = "auto",
    region_key: Annotated[str | None, typer.Option(help="Annotation that tells nests from stroma.")] = None,
    nest_labels: Names = "",
    outside_labels: Names = "",
    phenotype_key: Annotated[str | None, typer.Option(help="Annotation that names each cell's type.")] = None,
    composition: Annotated[str, typer.Option(
        help="Cell types of spots: reported (abundances in the file), markers, or auto.")] = "auto",
    tile: Annotated[float | None, typer.Option(help="Side of the tiles that are resampled, um.")] = None,
    bootstraps: Annotated[int, typer.Option(help="Resampled sections.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    discover: Annotated[bool, typer.Option("--discover", help="Rank surface genes as candidates for targets.")] = False,
    normal_tissue: Annotated[
        Path | None, typer.Option(help="Table of normal tissues for --discover: genes down, organs across.")] = None,
    tumour_key: Annotated[
        str | None, typer.Option(help="With --discover: DATA is a single-cell .h5ad, and this obs column tells tumour "
                                      "cells. No positions are needed.")] = None,
    tumour_labels: Names = "",
    before: Annotated[
        list[Path] | None, typer.Option(
            help="An earlier section of the same patient: report what changed. May be repeated.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Profile a section: who is where, immune phenotype, barriers, signatures, targets."""
    from nichedose.io import prepare_output
    from nichedose.tissue.tme import ProfileOptions

    if (normal_tissue is not None or tumour_key is not None) and not discover:
        raise BadInput("--normal-tissue and --tumour-key belong to --discover; add it, or leave them out.")
    options = ProfileOptions(
        rows=rows, region_key=region_key, nest_labels=_names(nest_labels),  # type: ignore[arg-type]
        outside_labels=_names(outside_labels), phenotype_key=phenotype_key, tile_um=tile, bootstraps=bootstraps,
        seed=seed, composition=composition,  # type: ignore[arg-type]
    )
    reading: dict[str, Any] = {"sample": sample, "sample_key": sample_key, "coordinate_unit": coordinate_unit,
               "um_per_unit": um_per_unit, "layer": layer}
    with prepare_output(output, overwrite), progress_bars(quiet) as progress:
        if tumour_key is not None:
            progress("discovering", 0, 1)
            labels = _names(tumour_labels)
            answer, numbers = _reference(_only(data), output, overwrite, tumour_key, labels, layer, normal_tissue, seed)
            progress("discovering", 1, 1)
        else:
            progress("reading", 0, 1)
            assays = _read(data, kind, reading)
            earlier = _read(before or [], kind, {**reading, "sample": "all" if sample == "all" else None})
            progress("reading", 1, 1)
            answer, numbers = _sections(
                assays, earlier, options, output, overwrite, discover, normal_tissue, progress)
    if as_json:
        print(json.dumps({"answer": answer, "folder": str(output), **numbers}))
    else:
        print(answer)
        print(f"Page: {output / 'profile.html'}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _only(data: list[Path]) -> Path:
    if len(data) > 1:
        raise BadInput("With --tumour-key one file of single cells is read; give a single DATA.")
    return data[0]


def _read(paths: list[Path], kind: str, reading: dict[str, Any]) -> tuple[SpatialAssay, ...]:
    """All sections in ``paths``, of different names."""
    from nichedose.io import distinct_sections, read_sections, read_tissue

    assays: list[SpatialAssay] = []
    for path in paths:
        if reading["sample"] == "all":
            assays += read_sections(path, kind, **{k: v for k, v in reading.items() if k != "sample"})
        else:
            assays.append(read_tissue(path, kind, **reading))
    return distinct_sections(assays)


def _sections(
    assays: tuple[SpatialAssay, ...], earlier: tuple[SpatialAssay, ...], options: ProfileOptions, output: Path,
    overwrite: bool, discover: bool, normal_tissue: Path | None, progress: Progress,
) -> tuple[str, dict[str, object]]:
    from nichedose.io import ProfiledSection, read_normal_tissue, write_profile
    from nichedose.io.result_store import jsonable
    from nichedose.library import load_library
    from nichedose.report import lesion_findings, profile_findings, render_findings
    from nichedose.tissue.tme import compare_profiles, discover_in_section, lesion_profile
    from nichedose.tissue.tme import profile as profile_section

    library = load_library()
    table = None if normal_tissue is None else read_normal_tissue(normal_tissue)
    found, ranked = [], []
    for done, assay in enumerate(assays):
        progress("profiling", done, len(assays) + len(earlier))
        found.append(profile_section(assay, library, options))
        ranked.append(discover_in_section(assay, found[-1], library, normal_tissue=table, seed=options.seed)
                      if discover else None)
    change = None
    if earlier:
        change = compare_profiles([profile_section(a, library, options) for a in earlier], found)
    progress("profiling", len(assays) + len(earlier), len(assays) + len(earlier))
    alone = len(found) == 1
    pages = [profile_findings(p, library, r, change if alone else None) for p, r in zip(found, ranked, strict=True)]
    findings = pages[0] if alone else lesion_findings(lesion_profile(found), pages, library, change)
    sections = [
        ProfiledSection(a, p.row_columns(), None if alone else render_findings(page))
        for a, p, page in zip(assays, found, pages, strict=True)]
    write_profile(output, render_findings(findings), findings.numbers, overwrite=overwrite, sections=sections)
    return findings.answer, jsonable(dict(findings.numbers))


def _reference(
    data: Path, output: Path, overwrite: bool, tumour_key: str, labels: tuple[str, ...], layer: str | None,
    normal_tissue: Path | None, seed: int,
) -> tuple[str, dict[str, object]]:
    from nichedose.io import read_normal_tissue, read_reference, write_profile
    from nichedose.library import load_library
    from nichedose.report import discovery_findings, render_findings
    from nichedose.tissue.tme import discover_targets

    library = load_library()
    reference = read_reference(data, tumour_key, labels, layer=layer)
    table = None if normal_tissue is None else read_normal_tissue(normal_tissue)
    ranked = discover_targets(
        reference.counts, reference.genes, reference.tumour, library.surface_genes, aliases=library.aliases,
        normal_tissue=table, seed=seed)
    findings = discovery_findings(reference.name, ranked, library)
    write_profile(output, render_findings(findings), findings.numbers, overwrite=overwrite)
    return findings.answer, dict(findings.numbers)
