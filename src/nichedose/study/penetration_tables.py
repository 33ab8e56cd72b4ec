"""Tables and maps of a `Penetration`, for files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nichedose.results import maps_in_tissue
from nichedose.study.penetration import SHOWN_HOURS, Penetration

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["penetration_maps", "penetration_tables"]


def penetration_tables(found: Penetration) -> dict[str, pd.DataFrame]:
    """``profile``: one row per hour and distance from a vessel; ``ledger``: one row per way of computing and term."""
    import pandas as pd

    shells, hours = found.distance_um.size, len(SHOWN_HOURS)
    profile = pd.DataFrame({
        "time_h": np.repeat(SHOWN_HOURS, shells),
        "distance_um": np.tile(found.distance_um, hours),
        "ligand_nmol_per_L": found.around_nmol_per_L.ravel(),
    })
    ledger = pd.DataFrame(
        [
            {"computed_with": way, "term": term, "nmol_per_L_x_voxel": value}
            for way, run in found.runs.items()
            for term, value in vars(run.ledger).items()
        ]
    )
    return {"profile": profile, "ledger": ledger}


def penetration_maps(found: Penetration) -> xr.Dataset:
    """All maps, dims (y, x), (time, y, x) or (computed_with, y, x), with units; NaN outside the tissue."""
    import xarray as xr

    grid, flow = found.tissue.grid, found.flow
    plane = ("y", "x")
    maps = xr.Dataset(
        {
            "mask": (plane, found.tissue.mask, {"units": "1", "long_name": "in tissue"}),
            "target": (plane, found.target_nmol_per_L, {"units": "nmol/L"}),
            "vessel_surface": (plane, found.tissue.vessel_surface_per_cm, {"units": "1/cm"}),
            "pressure": (plane, flow.mmHg, {"units": "mmHg", "long_name": "interstitial pressure"}),
            "speed": (plane, flow.speed_um_per_s, {"units": "um/s", "long_name": "speed of interstitial fluid"}),
            "filtered": (plane, flow.filtered_per_h, {"units": "1/h", "long_name": "fluid from vessels"}),
            "amount": (("time", *plane), found.amounts_nmol_per_L, {"units": "nmol/L", "long_name": "in all states"}),
            "time_integral": (
                ("computed_with", *plane), np.stack([r.integral_nmol_h_per_L for r in found.runs.values()]),
                {"units": "nmol h/L", "long_name": f"of {found.candidate.radionuclide}, decay included"},
            ),
        },
        coords={
            "y": ("y", grid.y_um, {"units": "um"}),
            "x": ("x", grid.x_um, {"units": "um"}),
            "time": ("time", list(SHOWN_HOURS), {"units": "h"}),
            "computed_with": list(found.runs),
        },
        attrs={"agent": found.candidate.name, "sample": found.tissue.sample, "injected_nmol": found.injected_nmol},
    )  # fmt: skip
    return maps_in_tissue(maps, found.tissue.mask)
