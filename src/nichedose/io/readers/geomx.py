"""NanoString GeoMx: regions of interest, as ``.dcc`` files with a ``.pkc`` panel, or as exported text tables."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.io.cells import CellTable, assemble_cells
from nichedose.io.headers import column_names, is_table
from nichedose.io.protein_tables import numbers, text_of
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.tables import read_table, separator_of
from nichedose.tissue.assay import SpatialAssay
from nichedose.values import Flag

__all__ = ["GEOMX"]

_TARGETS = ("TargetName", "Target", "Gene")
_SEGMENT = ("SegmentDisplayName", "Sample_ID", "segmentdisplayname", "sample_id")
_X, _Y = ("ROICoordinateX", "ROI_X", "roi_x", "x"), ("ROICoordinateY", "ROI_Y", "roi_y", "y")
_AREA = ("AOISurfaceArea", "area", "Area", "AOI_surface_area")
_NOTES = ("SegmentLabel", "segment", "ROILabel", "roi", "SlideName", "slide name", "ScanLabel", "scan name")


def _dcc_files(path: Path) -> list[Path]:
    return sorted(path.glob("*.dcc"))


def _claims(path: Path) -> bool:
    if not path.is_dir():
        return False
    return bool(_dcc_files(path)) or _count_table(path) is not None


def _tables(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if is_table(p))


def _count_table(path: Path) -> Path | None:
    """The table whose first column names targets; only beside another that names segments."""
    tables = _tables(path)
    if not any(set(_SEGMENT) & set(column_names(p)) for p in tables):
        return None
    return next((p for p in tables if (column_names(p) or ("",))[0] in _TARGETS), None)


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if not path.is_dir():
        raise BadInput(f"{path}: GeoMx is read from a folder: .dcc files, their .pkc panel and a table of segments; "
                       "or a table of counts per target and one of segments.")
    options.refuse_unused(path, "geomx", "layer", "sample_key")
    segments_file = next((p for p in _tables(path) if set(_SEGMENT) & set(column_names(p))), None)
    if segments_file is None:
        books = ", ".join(p.name for p in path.glob("*.xlsx"))
        raise BadInput(f"{path}: no table of segments (.csv, .tsv or .txt with a column {_SEGMENT[0]} or "
                       f"{_SEGMENT[1]}){f'; save the sheet of {books} as .csv' if books else ''}.")
    segments = read_table(segments_file, separator=separator_of(segments_file))
    key = next(c for c in _SEGMENT if c in segments)
    counts_file = _count_table(path)
    files: list[Path]
    flags: list[Flag] = []
    if counts_file is not None:
        counts, genes, names = _from_table(counts_file)
        files = [counts_file]
    else:
        counts, genes, names, files, flags = _from_dcc(path)
    place = {str(v).removesuffix(".dcc"): i for i, v in enumerate(segments[key])}
    found = [i for i, n in enumerate(names) if n in place]
    if not found:
        raise BadInput(f"{segments_file}: none of the {len(names)} segments with counts is in it (for example "
                       f"{names[0]}); the files belong to different experiments.")
    if len(found) < len(names):
        flags.append(Flag("note", "tissue data", f"{len(names) - len(found)} of {len(names)} segments are not in "
                                                 f"{segments_file.name} (controls?); dropped."))
    kept = segments.iloc[[place[names[i]] for i in found]].reset_index(drop=True)
    xy = _positions(kept, segments_file)
    um, evidence = _scale(options, segments_file)
    area_column = next((c for c in _AREA if c in kept), None)
    flags.append(Flag("caution", "tissue data", "GeoMx measures regions of interest, chosen by a person: they are no "
                                                "map, and what lies between them was not measured."))
    return assemble_cells(
        CellTable([names[i] for i in found], xy, counts[found], genes, observation="region",
                  area=None if area_column is None else numbers(kept, area_column, str(segments_file)),
                  annotations={c: text_of(kept, c) for c in _NOTES if c in kept}),
        um, evidence, path=path, kind="geomx", sample=options.sample or path.resolve().name, aliases=options.aliases,
        files=[*files, segments_file], area_um2_per_unit=1.0, flags=flags)


def _positions(segments: Any, file: Path) -> Array:
    columns = [next((c for c in names if c in segments), None) for names in (_X, _Y)]
    if columns[0] is None or columns[1] is None:
        raise BadInput(f"{file}: the segments have no positions; add the columns {_X[0]} and {_Y[0]} (export segment "
                       "properties with ROI coordinates).")
    return np.column_stack([numbers(segments, str(c), str(file)) for c in columns])


def _scale(options: ReadOptions, file: Path) -> tuple[float, str]:
    if options.coordinate_unit == "um":
        return 1.0, f"positions of the regions in {file.name} are um, as coordinate_unit says"
    if options.um_per_unit is not None:
        return options.um_per_unit, f"um_per_unit = {options.um_per_unit:g}, as given"
    raise BadInput(f"{file}: the positions of the regions have no unit. Say coordinate_unit = \"um\", or um_per_unit "
                   "(um per unit of the coordinates).")


def _from_table(path: Path) -> tuple[sp.csr_matrix, tuple[str, ...], list[str]]:
    frame = read_table(path, separator=separator_of(path), index=0)
    values = np.column_stack([numbers(frame, c, str(path)) for c in frame.columns])
    return sp.csr_matrix(values.T), tuple(map(str, frame.index)), [str(c).removesuffix(".dcc") for c in frame.columns]


def _from_dcc(path: Path) -> tuple[sp.csr_matrix, tuple[str, ...], list[str], list[Path], list[Flag]]:
    """Counts of every target, summed over its probes; negative-control probes are left out by their code class."""
    panels = [*sorted(path.glob("*.pkc")), *sorted(path.glob("*pkc*.zip"))]
    if not panels:
        raise BadInput(f"{path}: the panel (.pkc) that names the probes of the .dcc files is missing.")
    gene_of: dict[str, str] = {}
    controls: set[str] = set()
    for panel in panels:
        for text in _panel_texts(panel):
            _add_panel(text, panel, gene_of, controls)
    genes = tuple(dict.fromkeys(gene_of.values()))
    column = {g: i for i, g in enumerate(genes)}
    files = _dcc_files(path)
    counts = sp.lil_matrix((len(files), len(genes)), dtype=np.int64)
    strange: set[str] = set()
    for row, file in enumerate(files):
        for probe, count in _dcc_counts(file).items():
            if probe in gene_of:
                counts[row, column[gene_of[probe]]] += count
            elif probe not in controls:
                strange.add(probe)
    flags = [Flag("note", "tissue data", f"Counts were summed over the probes of each target; {len(controls)} control "
                                         "probes were dropped.")]
    if strange:
        flags.append(Flag("caution", "tissue data", f"{len(strange)} probes of the .dcc files are in no .pkc (for "
                          f"example {min(strange)}); a panel may be missing."))
    return counts.tocsr(), genes, [f.name.removesuffix(".dcc") for f in files], [*files, *panels], flags


def _panel_texts(panel: Path) -> list[str]:
    try:
        if panel.suffix == ".zip":
            with zipfile.ZipFile(panel) as archive:
                return [archive.read(n).decode("utf-8") for n in archive.namelist() if n.endswith(".pkc")]
        return [panel.read_text(encoding="utf-8")]
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise BadInput(f"{panel}: cannot be read ({error}); is it damaged?") from error


def _add_panel(text: str, panel: Path, gene_of: dict[str, str], controls: set[str]) -> None:
    try:
        targets = json.loads(text)["Targets"]
        for target in targets:
            # classes carry a number (Endogenous01, Negative01); Control01 are genes of reference
            negative = str(target.get("CodeClass", "")).startswith(("Negative", "SpikeIn"))
            for probe in target["Probes"]:
                if not negative:
                    gene_of[probe["RTS_ID"]] = str(target["DisplayName"])
                else:
                    controls.add(probe["RTS_ID"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{panel}: not a GeoMx panel (.pkc, JSON with Targets and Probes): {error}.") from error


def _dcc_counts(path: Path) -> Mapping[str, int]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        start, end = lines.index("<Code_Summary>"), lines.index("</Code_Summary>")
        pairs = [line.split(",") for line in lines[start + 1:end] if line]
        return {probe: int(count) for probe, count in pairs}
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{path}: not a whole .dcc file ({error}); is it cut off?") from error


GEOMX = Reader("geomx", "a GeoMx folder: .dcc with .pkc and a table of segments, or tables of counts and segments",
               _claims, _read)
