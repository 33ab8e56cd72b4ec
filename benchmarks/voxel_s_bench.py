"""Voxel S values beside a Monte Carlo with EGSnrc physics: do they agree, and what does each cost?

    pip install ompmc                    # GPL-3; never a dependency of nichedose
    python benchmarks/voxel_s_bench.py --nuclide 99mTc --voxel 3 --histories 2000000

The emissions of ICRP Publication 107 start evenly in the central voxel and in all directions, electrons and photons in
runs of their own. Electrons and photons below 10 keV are deposited where they start. Compared are the central voxel and
all voxels whose centre is about as far as (5, 5, 5), which share the Monte Carlo's noise. Its time is scaled to a
statistical error of 1 %, as n^-1/2, and stands beside the time of `voxel_s_values` for the whole array. ``--medium``
takes ICRU soft tissue or water, ``--density`` in g/cm3 goes to both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.dose import voxel_s_values
from nichedose.nuclide import Lines, beta_bins, emissions

MEDIA = {"water": "H2O521ICRU", "tissue": "ICRUTISSUE521ICRU"}
J_PER_MEV = 1.602176634e-13
CUT_MEV = 0.010
HALF = 7  # voxels each way; beyond lies 60 cm of the same medium
PHOTON, ELECTRON = 1, 2
RECORD = np.dtype([("type", "i1"), ("energy", "<f4"), ("place", "<f4", 3), ("direction", "<f4", 2)])


def particles(nuclide: str, kind: int) -> Lines:
    """Photons, or electrons of every origin, of one decay."""
    lines = emissions(nuclide).lines
    found = [lines["photon"]] if kind == PHOTON else [beta_bins(nuclide), lines["conversion"], lines["auger"]]
    return Lines(np.concatenate([x.energy_MeV for x in found]), np.concatenate([x.per_decay for x in found]))


def write_phase_space(base: Path, lines: Lines, kind: int, voxel_cm: float, count: int, seed: int) -> None:
    """An IAEA phase space of particles from the central voxel; the sign of the type is that of the third cosine."""
    rng = np.random.default_rng(seed)
    record = np.zeros(count, RECORD)
    share = lines.per_decay / lines.per_decay.sum()
    record["energy"] = -rng.choice(lines.energy_MeV, size=count, p=share)  # negative: a new history
    record["place"] = (rng.random((count, 3)) - 0.5) * voxel_cm
    cosine, turn = 2.0 * rng.random(count) - 1.0, 2.0 * np.pi * rng.random(count)
    record["direction"] = (np.sqrt(1.0 - cosine**2) * [np.cos(turn), np.sin(turn)]).T
    record["type"] = kind * np.where(cosine < 0.0, -1, 1)
    record.tofile(base.with_suffix(".IAEAphsp"))
    fields = {
        "IAEA_INDEX": "0", "TITLE": "decays in one voxel", "FILE_TYPE": "0", "CHECKSUM": str(record.nbytes),
        "RECORD_CONTENTS": "\n".join("111111000"), "RECORD_CONSTANT": "1.0",
        "RECORD_LENGTH": str(RECORD.itemsize), "BYTE_ORDER": "1234", "ORIG_HISTORIES": str(count),
        "PARTICLES": str(count), "PHOTONS" if kind == PHOTON else "ELECTRONS": str(count)}
    base.with_suffix(".IAEAheader").write_text("".join(f"${name}:\n{text}\n\n" for name, text in fields.items()))


def simulate(ompmc: Any, lines: Lines, kind: int, given: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, float]:
    """Dose to each voxel per decay and its error, Gy, (2 HALF + 1,) * 3, and seconds."""
    side = 0.1 * given.voxel
    inner = (np.arange(2 * HALF + 2) - HALF - 0.5) * side
    bounds = np.concatenate([[inner[0] - 60.0], inner, [inner[-1] + 60.0]])
    shape = (len(bounds) - 1,) * 3
    geometry = ompmc.Geometry(bounds, bounds, bounds, [MEDIA[given.medium]], np.full(shape, given.density, order="F"),
                              np.ones(shape, np.int32, order="F"))
    physics = ompmc.Physics(pegs_file=ompmc.data_path() / "pegs4" / "521icru.pegs4dat", global_ecut=0.511 + CUT_MEV,
                            global_pcut=CUT_MEV, n_split=1)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "decays"
        write_phase_space(base, lines, kind, side, given.histories, seed=kind)
        begin = time.perf_counter()
        energy, error, _ = ompmc.calc_forward_phsp(
            geometry, ompmc.PhaseSpaceSource(base), physics, n_histories=given.histories, n_batches=20,
            output_dose=False)
        seconds = time.perf_counter() - begin
    gray = lines.per_decay.sum() * J_PER_MEV / (given.density * side**3 * 1e-3)
    inside = (slice(1, -1),) * 3
    return energy[inside] * gray, energy[inside] * error[inside] * gray, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nuclide", default="99mTc")
    parser.add_argument("--voxel", type=float, default=3.0, help="side, mm")
    parser.add_argument("--density", type=float, default=1.0, help="g/cm3")
    parser.add_argument("--medium", choices=MEDIA, default="water")
    parser.add_argument("--histories", type=int, default=1_000_000, help="electrons, and as many photons")
    given = parser.parse_args()
    try:
        import ompmc
    except ImportError:
        sys.exit("ompmc is not installed: 'pip install ompmc' (GPL-3) to compare; nothing was run.")
    voxel_s_values(given.nuclide, given.voxel, 3)  # compiles, loads tables
    begin = time.perf_counter()
    ours = voxel_s_values(given.nuclide, given.voxel, 2 * HALF + 1, density_g_per_mL=given.density)
    mine = time.perf_counter() - begin
    runs = []
    for kind in (ELECTRON, PHOTON):
        lines = particles(given.nuclide, kind)
        if len(lines.energy_MeV):
            runs.append(simulate(ompmc, lines, kind, given))
    index = np.indices(ours.shape) - HALF
    squared = (index**2).sum(axis=0)
    places = {"(0, 0, 0)": squared == 0, "as far as (5, 5, 5)": (squared >= 70) & (squared <= 80)}
    print(f"{given.nuclide}, {given.voxel:g} mm, {given.medium} of {given.density:g} g/cm3, {given.histories} "
          f"particles of each kind; ours {mine:.3f} s")
    for name, here in places.items():
        theirs = sum(float(dose[here].mean()) for dose, _, _ in runs)
        error = np.sqrt(sum(float((sd[here] ** 2).sum()) for _, sd, _ in runs)) / here.sum()
        seconds = sum(run[2] for run in runs) * (error / theirs / 0.01) ** 2
        print(f"  {name} ({here.sum()} voxels): {float(ours[here].mean()) * 1e9:.4g} against {theirs * 1e9:.4g} "
              f"mGy/(MBq s) +- {error / theirs:.2%}; ratio {float(ours[here].mean()) / theirs:.4f}; ompmc needs "
              f"{seconds:.3g} s for 1 %: {seconds / mine:.3g} times ours")


if __name__ == "__main__":
    main()
