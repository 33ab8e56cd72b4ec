"""Write the demo: the synthetic Visium folder, its ground truth, and a case that plans on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nichedose.demo.expression import DATA
from nichedose.demo.section import (
    SAMPLE,
    SECTION_ORIGIN_UM,
    generate_section,
    positions_csv,
    scalefactors_json,
    spot_array,
    write_counts_h5,
)
from nichedose.demo.truth import DEFAULT_SEED, GroundTruth, ground_truth
from nichedose.errors import BadInput

__all__ = ["write_demo"]


def write_demo(folder: Path, *, seed: int = DEFAULT_SEED) -> Path:
    """Write the demo into ``folder`` (made when absent) and return the path of its ``case.toml``.

    The default seed copies the counts that ship with the package; another seed generates another section.
    Raises `BadInput` when ``folder`` is a file, holds a case that is not the demo's, or cannot be written.
    """
    case_path = folder / "case.toml"
    text = (DATA / "case.toml").read_text("utf-8")
    try:
        if case_path.exists() and "SYNTHETIC" not in case_path.read_text("utf-8", errors="replace"):
            raise BadInput(f"{case_path} is not the demo's case; give the demo a folder of its own.")
        section = folder / SAMPLE
        (section / "spatial").mkdir(parents=True, exist_ok=True)
        _write_counts(section / "filtered_feature_bc_matrix.h5", seed)
        (section / "spatial" / "tissue_positions.csv").write_text(positions_csv(spot_array(seed)), "utf-8")
        (section / "spatial" / "scalefactors_json.json").write_text(scalefactors_json(), "utf-8")
        for place in (folder, section):
            (place / "README.txt").write_text((DATA / "README.txt").read_text("utf-8"), "utf-8")
        _write_truth(folder / "ground_truth.npz", ground_truth(seed))
        case_path.write_text(text, "utf-8")
    except OSError as error:
        raise BadInput(f"{folder}: the demo cannot be written there ({error.strerror or error}).") from error
    return case_path


def _write_counts(path: Path, seed: int) -> None:
    if seed == DEFAULT_SEED:
        path.write_bytes((DATA / "matrix.h5").read_bytes())
    else:
        write_counts_h5(generate_section(seed), path)


def _write_truth(path: Path, truth: GroundTruth) -> None:
    """Fields as float32; voxel coordinates in um from the corner of the image. Names as in `GroundTruth`."""
    arrays = {name.replace("/", "__"): field.astype(np.float32) for name, field in truth.fields.items()}
    np.savez_compressed(path, x_um=truth.grid.x_um + SECTION_ORIGIN_UM[0],
                        y_um=truth.grid.y_um + SECTION_ORIGIN_UM[1], mask=truth.mask, seed=np.int64(truth.seed),
                        allow_pickle=False, **arrays)
