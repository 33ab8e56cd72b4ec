"""What only the package spatialdata can tell of a store: where rows lie that annotate labels or several elements."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["centres_by_package"]

INTRINSIC = "nichedose_intrinsic"


def centres_by_package(path: Path, data: Any, regions: Sequence[str], region_key: str, instance_key: str) -> Array:
    """Centres (n_rows, 2) of the elements that the rows of the table annotate, each in its element's own coordinates.

    Raises `BadInput` without the package, for a store that it cannot read, and for rows without an element.
    """
    try:
        import spatialdata
        from spatialdata.transformations import Identity, set_transformation
    except ImportError as error:
        raise BadInput(f"{path}: its table annotates {', '.join(regions)}, which is not one set of shapes; such a "
                       "store is read through the package spatialdata (pip install 'nichedose[spatialdata]'). Or write "
                       "the positions into obsm['spatial'] of the table.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            store = spatialdata.read_zarr(path, selection=("shapes", "labels"))
            centres = np.full((data.n_obs, 2), np.nan)
            rows_of = np.asarray(data.obs[region_key].astype(str))
            for region in regions:
                element = store[region]
                set_transformation(element, Identity(), INTRINSIC)
                found = spatialdata.get_centroids(element, coordinate_system=INTRINSIC).compute()
                place = {str(name): i for i, name in enumerate(found.index)}
                rows = np.flatnonzero(rows_of == region)
                at = np.array([place.get(str(v), -1) for v in data.obs[instance_key].iloc[rows]], dtype=int)
                xy = found[["x", "y"]].to_numpy(float)
                centres[rows[at >= 0]] = xy[at[at >= 0]]
    except MemoryError:
        raise
    except Exception as error:  # whatever the package raises, the store cannot be read
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{path}: spatialdata {spatialdata.__version__} cannot read the elements {', '.join(regions)} "
                       f"({reason}); is the store whole?") from error
    lost = int(np.isnan(centres).any(axis=1).sum())
    if lost:
        raise BadInput(f"{path}: {lost} of {len(centres)} rows of the table have no place in {', '.join(regions)}; the "
                       "elements do not belong together.")
    return centres
