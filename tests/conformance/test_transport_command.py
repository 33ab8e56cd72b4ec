"""`nichedose transport` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from nichedose.demo import write_demo


def nichedose(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nichedose.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo case on 80-um voxels."""
    path = write_demo(tmp_path_factory.mktemp("transport"))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("draws = 32", 'draws = 0\ngrid_spacing = "80 um"'), encoding="utf-8")
    return path


def test_it_writes_page_tables_and_maps(coarse: Path) -> None:
    folder = coarse.parent / "transport"
    done = nichedose("transport", coarse, "--agent", "177Lu-girentuximab", "-o", folder, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["agent"] == "177Lu-girentuximab"
    assert max(book["closure"] for book in found["ledgers"].values()) < 1e-4
    assert all(m > 0.0 for m in found["mean_integral_nmol_h_per_L"].values())
    page = (folder / "transport.html").read_text("utf-8")
    assert "Penetration around one vessel" in page and "<link" not in page and "src=\"http" not in page
    profile = pd.read_csv(folder / "profile.csv")
    assert set(profile.columns) == {"time_h", "distance_um", "ligand_nmol_per_L"}
    first = profile[profile.time_h == 1.0].ligand_nmol_per_L.to_numpy()
    assert first[0] > first[-1] > 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        maps = xr.open_zarr(folder / "maps.zarr", consolidated=False).load()
    assert maps.pressure.attrs["units"] == "mmHg"
    inside = maps.mask.values.astype(bool)
    assert maps.attrs["outside_tissue"] == "NaN" and not inside.all()
    for name in set(map(str, maps.data_vars)) - {"mask"}:
        assert (np.isfinite(maps[name].values) == inside).all(), name
    assert maps.pressure.values[inside].max() <= 11.6  # where filtration stops
    mean = float(maps.time_integral.sel(computed_with="mixed voxels").values[inside].mean())
    assert mean == pytest.approx(found["mean_integral_nmol_h_per_L"]["mixed voxels"], rel=1e-9)


@pytest.mark.parametrize(("options", "says"), [
    (("--agent", "177Lu-PSMA-671"), "Did you mean"),
    (("--section", "elsewhere"), "no section"),
])
def test_a_mistake_is_named(coarse: Path, options: tuple[str, str], says: str) -> None:
    done = nichedose("transport", coarse, *options, "-o", coarse.parent / "never")
    assert done.returncode == 2
    assert says in done.stderr and "Traceback" not in done.stderr
    assert not (coarse.parent / "never").exists()


def test_earlier_results_stay_unless_told(coarse: Path) -> None:
    folder = coarse.parent / "transport"
    done = nichedose("transport", coarse, "-o", folder)
    assert done.returncode == 2 and "--overwrite" in done.stderr
