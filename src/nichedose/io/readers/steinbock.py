"""steinbock folders (imaging mass cytometry): one table of intensities and one of region properties per image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.io.cells import CellTable, assemble_cells
from nichedose.io.protein_tables import numbers, proteins_of, um_per_px_or_ask
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.tables import read_table
from nichedose.tissue.assay import SpatialAssay

__all__ = ["STEINBOCK"]

_NO_MARKER = ("DNA", "Ir191", "Ir193", "Ruthenium", "Xe131", "Xe134", "Ba138", "In113", "In115")


def _claims(path: Path) -> bool:
    return path.is_dir() and (path / "intensities").is_dir() and (path / "regionprops").is_dir()


def _images(path: Path) -> list[str]:
    with_both = {p.stem for p in (path / "intensities").glob("*.csv")} & {
        p.stem for p in (path / "regionprops").glob("*.csv")}
    return sorted(with_both)


def _samples(path: Path, options: ReadOptions) -> list[str]:
    return _images(path)


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if not _claims(path):
        raise BadInput(f"{path}: a steinbock folder holds intensities/ and regionprops/; give that folder.")
    options.refuse_unused(path, "steinbock", "layer", "sample_key")
    images = _images(path)
    if not images:
        raise BadInput(f"{path}: no image has both intensities/....csv and regionprops/....csv.")
    if options.sample is None and len(images) > 1:
        shown = ", ".join(images[:12]) + (", ..." if len(images) > 12 else "")
        raise BadInput(f"{path}: holds {len(images)} images ({shown}); choose one with sample = \"{images[0]}\", and "
                       "read each as its own section.")
    image = options.sample or images[0]
    if image not in images:
        raise BadInput(f"{path}: no image '{image}'.{near_miss(image, images)}")
    values_file, shapes_file = path / "intensities" / f"{image}.csv", path / "regionprops" / f"{image}.csv"
    values, shapes = read_table(values_file, separator=","), read_table(shapes_file, separator=",")
    where = str(shapes_file)
    for frame, file in ((values, values_file), (shapes, shapes_file)):
        if "Object" not in frame:
            raise BadInput(f"{file}: not a steinbock table: the column Object is missing.")
    missing = [c for c in ("centroid-0", "centroid-1") if c not in shapes]
    if missing:
        raise BadInput(f"{shapes_file}: {', '.join(missing)} missing; measure the region property centroid.")
    if shapes["Object"].duplicated().any() or set(values["Object"]) != set(shapes["Object"]):
        raise BadInput(f"{shapes_file}: its objects are not those of {values_file}, each once; the tables come from "
                       "different segmentations.")
    shapes = shapes.set_index("Object").loc[values["Object"]].reset_index()
    um, evidence, extra = _scale(path, image, options)
    markers = {str(c): numbers(values, c, str(values_file)) for c in values.columns
               if c != "Object" and not str(c).startswith(_NO_MARKER)}
    return assemble_cells(
        # rows come first in scikit-image: centroid-0 is y
        CellTable([str(v) for v in values["Object"]],
                  np.column_stack([numbers(shapes, c, where) for c in ("centroid-1", "centroid-0")]),
                  area=numbers(shapes, "area", where) if "area" in shapes else None, proteins=proteins_of(markers)),
        um, evidence, path=path, kind="steinbock", sample=image, aliases=options.aliases,
        files=[values_file, shapes_file, *extra])


def _scale(path: Path, image: str, options: ReadOptions) -> tuple[float, str, list[Path]]:
    """um per pixel from images.csv, where steinbock notes both widths; else the user says."""
    listing = path / "images.csv"
    if options.um_per_unit is None and options.coordinate_unit != "um" and listing.is_file():
        frame = read_table(listing, separator=",")
        wanted = {"image", "width_px", "acquisition_width_um"}
        if wanted <= set(map(str, frame.columns)):
            row = frame[[Path(str(v)).stem == image for v in frame["image"]]]
            if len(row) == 1 and float(row["width_px"].iloc[0]) > 0:
                um = float(row["acquisition_width_um"].iloc[0]) / float(row["width_px"].iloc[0])
                if np.isfinite(um) and um > 0.0:
                    return um, f"images.csv: {row['acquisition_width_um'].iloc[0]:g} um are " \
                               f"{row['width_px'].iloc[0]:g} pixels, {um:.4g} um per pixel", [listing]
    um, evidence = um_per_px_or_ask(options, path, "centroid-0 and centroid-1", "1 as a rule for mass cytometry")
    return um, evidence, []


STEINBOCK = Reader("steinbock", "a steinbock folder with intensities/ and regionprops/", _claims, _read, _samples)
