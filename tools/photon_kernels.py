# ruff: noqa: NPY002 - numba draws from its own generator, seeded for each energy
"""Monte Carlo of photons from a point in water; writes src/nichedose/dose/data/photon_kernels_water.csv.

Needs ``pip install xraydb numba`` (xraydb is no dependency of nichedose). Run from the repository root:

    python tools/photon_kernels.py --histories 240000

Physics: photoelectric, incoherent and coherent cross sections of H and O from xraydb (Elam, Ravel and Sieber 2002) up
to 300 keV; above, the Klein-Nishina formula and a power law for the small rest; pair production from the unscreened
Bethe-Heitler cross section (Maximon's expansions, as given by Chodorowski et al. 1992), in the fields of nucleus and
electrons.
Angles: Klein-Nishina on free electrons; coherent by the form factors of free atoms. Electrons and fluorescence
(0.5 keV) are deposited where they are set free; positrons annihilate where they are made, at rest.

Estimator: track lengths of collided photons in spherical shells, the uncollided part analytic. Photons are split and
rouletted at each shell as the flux falls, so that thirty mean free paths are reached.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numba
import numpy as np
import xraydb

ENERGY_KEV = (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500,
              600, 800, 1000, 1250, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000, 10000)
EDGES = np.concatenate([[0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], np.arange(1.0, 2.0, 0.2),
                        np.arange(2.0, 10.0, 0.5), np.arange(10.0, 31.0, 1.0)])
# The flux falls as exp(-x) (1 + x)^power; splitting by its inverse keeps the population level.
FLATTER = (np.log([0.015, 0.03, 0.05, 0.1, 0.2, 1.0, 3.0]), np.array([0.0, 0.7, 1.5, 2.0, 2.0, 1.3, 0.9]))
ELECTRON_MEV = 0.51099895
RADIUS_CM = 2.8179403205e-13
FINE_STRUCTURE = 1.0 / 137.035999
AVOGADRO = 6.02214076e23
MOLAR_MASS = 18.01528
HIGHEST_TABLE_MEV = 0.3
GRID = np.geomspace(1e-3, 10.0, 4001)


def klein_nishina(energy_MeV: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cross section per free electron (cm2) and the mean share of the energy that the electron takes."""
    k = energy_MeV[:, None] / ELECTRON_MEV
    nodes, weights = np.polynomial.legendre.leggauss(200)
    ratio = 1.0 / (1.0 + k * (1.0 - nodes))
    density = ratio**2 * (ratio + 1.0 / ratio - (1.0 - nodes**2)) * weights
    total = density.sum(axis=1)
    return np.pi * RADIUS_CM**2 * total, (density * (1.0 - ratio)).sum(axis=1) / total


def pair_cm2(energy_MeV: np.ndarray) -> np.ndarray:
    """Pair production in the field of a unit charge without screening."""
    k = np.maximum(energy_MeV / ELECTRON_MEV, 2.0)
    eta = (k - 2.0) / (k + 2.0)
    low = 2.0 * np.pi / 3.0 * ((k - 2.0) / k) ** 3 * (
        1.0 + eta / 2.0 + 23.0 / 40.0 * eta**2 + 37.0 / 120.0 * eta**3 + 61.0 / 192.0 * eta**4)
    ln, two = np.log(2.0 * k), 2.0 / k
    high = (28.0 / 9.0 * ln - 218.0 / 27.0
            + two**2 * (2.0 / 3.0 * ln**3 - ln**2 + (6.0 - np.pi**2 / 3.0) * ln
                        + 2.0 * 1.2020569 + np.pi**2 / 6.0 - 3.5)
            - two**4 * (3.0 / 16.0 * ln + 1.0 / 8.0) - two**6 * (29.0 / 2304.0 * ln - 77.0 / 13824.0))
    return FINE_STRUCTURE * RADIUS_CM**2 * np.where(k < 4.0, low, high)


def cross_sections() -> dict[str, np.ndarray]:
    """Of water, cm2/g on GRID: photoelectric, incoherent, coherent, pair; and the deposited part."""
    per_gram = AVOGADRO / MOLAR_MASS
    free, share = klein_nishina(GRID)
    inside = GRID[GRID <= HIGHEST_TABLE_MEV]
    weights = {"H": 2.0 * 1.00794 / MOLAR_MASS, "O": 15.9994 / MOLAR_MASS}

    def table(kind: str) -> np.ndarray:
        values = sum(w * xraydb.mu_elam(element, inside * 1e6, kind=kind) for element, w in weights.items())
        slope = np.log(values[-1] / values[-200]) / np.log(inside[-1] / inside[-200])
        return np.concatenate([values, values[-1] * (GRID[len(inside):] / inside[-1]) ** slope])

    incoherent = table("incoh")
    incoherent[len(inside):] = 10.0 * free[len(inside):] * per_gram
    triplet = np.where(GRID > 4.0 * ELECTRON_MEV, 10.0, 0.0)
    out = {"photo": table("photo"), "incoherent": incoherent, "coherent": table("coh"),
           "pair": pair_cm2(GRID) * (66.0 + triplet) * per_gram}
    left = np.maximum(1.0 - 2.0 * ELECTRON_MEV / GRID, 0.0)
    out["deposited"] = out["photo"] + share * incoherent + left * out["pair"]
    return out


def form_factor_cdf() -> tuple[np.ndarray, np.ndarray]:
    """Squared momentum transfer (1/A2) and the integral of the squared form factor of H2O up to it."""
    s = np.concatenate([[0.0], np.geomspace(1e-3, 6.0, 600)])
    squared = 2.0 * xraydb.f0("H", s) ** 2 + xraydb.f0("O", s) ** 2
    s2 = s * s
    return s2, np.concatenate([[0.0], np.cumsum(0.5 * (squared[1:] + squared[:-1]) * np.diff(s2))])


@numba.njit(cache=False)
def _at(table, log_energy, first, step):
    position = (log_energy - first) / step
    if position < 0.0:
        position = 0.0
    i = min(int(position), len(table) - 2)
    return table[i] + (position - i) * (table[i + 1] - table[i])


@numba.njit(cache=False)
def _compton(energy):
    """Energy kept and cosine, from the Klein-Nishina formula: mixture of 1/e and e, with rejection."""
    k = energy / 0.51099895
    low = 1.0 / (1.0 + 2.0 * k)
    first, second = -np.log(low), 0.5 * (1.0 - low * low)
    while True:
        if np.random.random() * (first + second) < first:
            kept = low ** np.random.random()
        else:
            kept = np.sqrt(low * low + (1.0 - low * low) * np.random.random())
        one_less = (1.0 - kept) / (k * kept)
        sine2 = one_less * (2.0 - one_less)
        if np.random.random() < 1.0 - kept * sine2 / (1.0 + kept * kept):
            return kept * energy, 1.0 - one_less


@numba.njit(cache=False)
def _rayleigh(energy, s2, cdf):
    largest = (energy / 0.01239842) ** 2
    end = np.interp(largest, s2, cdf)
    while True:
        cosine = 1.0 - 2.0 * min(np.interp(np.random.random() * end, cdf, s2) / largest, 1.0)
        if np.random.random() < 0.5 * (1.0 + cosine * cosine):
            return cosine


@numba.njit(cache=False)
def simulate(energy0, histories, edges, importance, tables, first, step, s2, cdf, seed):
    """Share of the energy that collided photons leave in each shell, and its standard error."""
    np.random.seed(seed)
    shells = len(edges) - 1
    scale = _at(tables[0], np.log(energy0), first, step) + _at(tables[1], np.log(energy0), first, step) \
        + _at(tables[3], np.log(energy0), first, step)
    total, squares, current = np.zeros(shells), np.zeros(shells), np.zeros(shells)
    stack = np.empty((200000, 6))
    for _ in range(histories):
        current[:] = 0.0
        stack[0] = np.array([0.0, 1.0, energy0, 1.0, 0.0, 0.0])
        top = 1
        while top > 0:
            top -= 1
            r, mu, energy, weight, collided, where = stack[top]
            shell = int(where)
            while True:
                log_energy = np.log(energy)
                photo = _at(tables[0], log_energy, first, step) / scale
                incoherent = _at(tables[1], log_energy, first, step) / scale
                coherent = _at(tables[2], log_energy, first, step) / scale
                pair = _at(tables[3], log_energy, first, step) / scale
                flight = -np.log(1.0 - np.random.random()) / (photo + incoherent + coherent + pair)
                impact2 = r * r * (1.0 - mu * mu)
                inward = mu < 0.0 and impact2 < edges[shell] ** 2 and shell > 0
                if inward:
                    to_edge = -r * mu - np.sqrt(max(edges[shell] ** 2 - impact2, 0.0))
                else:
                    to_edge = -r * mu + np.sqrt(max(edges[shell + 1] ** 2 - impact2, 0.0))
                to_edge = max(to_edge, 0.0)
                crosses = flight >= to_edge
                path = to_edge if crosses else flight
                if collided > 0.0:
                    current[shell] += weight * path * energy / energy0 * _at(tables[4], log_energy, first, step) / scale
                old = r
                r = np.sqrt(max(r * r + path * path + 2.0 * r * mu * path, 0.0))
                mu = (old * mu + path) / r if r > 0.0 else 1.0
                mu = min(max(mu, -1.0), 1.0)
                if crosses:
                    following = shell - 1 if inward else shell + 1
                    r = edges[shell] if inward else edges[shell + 1]
                    if following >= shells:
                        break
                    ratio = importance[following] / importance[shell]
                    copies = int(ratio + np.random.random())
                    shell = following
                    if copies == 0:
                        break
                    weight /= ratio
                    for _copy in range(copies - 1):
                        stack[top] = np.array([r, mu, energy, weight, collided, float(shell)])
                        top += 1
                    continue
                collided = 1.0
                which = np.random.random() * (photo + incoherent + coherent + pair)
                if which < photo:
                    break
                if which < photo + incoherent:
                    energy, cosine = _compton(energy)
                    if energy < 1e-3:
                        current[shell] += weight * energy / energy0
                        break
                elif which < photo + incoherent + coherent:
                    cosine = _rayleigh(energy, s2, cdf)
                else:
                    energy = 0.51099895
                    mu = 2.0 * np.random.random() - 1.0
                    stack[top] = np.array([r, -mu, energy, weight, 1.0, float(shell)])
                    top += 1
                    continue
                phi = 2.0 * np.pi * np.random.random()
                mu = mu * cosine + np.sqrt(max((1.0 - mu * mu) * (1.0 - cosine * cosine), 0.0)) * np.cos(phi)
        total += current
        squares += current * current
    mean = total / histories
    return mean, np.sqrt(np.maximum(squares / histories - mean * mean, 0.0) / histories)


def kernel(energy_MeV: float, histories: int, seed: int) -> tuple[float, np.ndarray, np.ndarray, float]:
    """Attenuation (cm2/g, without coherent), g in each shell, its relative error, and the sum of the energy."""
    sections, (s2, cdf) = cross_sections(), form_factor_cdf()
    names = ("photo", "incoherent", "coherent", "pair", "deposited")
    tables = np.array([sections[name] for name in names])
    first, step = np.log(GRID[0]), np.log(GRID[1] / GRID[0])
    at = {name: float(np.interp(np.log(energy_MeV), np.log(GRID), sections[name])) for name in names}
    middle = 0.5 * (EDGES[1:] + EDGES[:-1])
    importance = np.exp(0.9 * middle) / (1.0 + middle) ** np.interp(np.log(energy_MeV), *FLATTER)
    scattered, error = simulate(energy_MeV, histories, EDGES, importance, tables, first, step, s2, cdf, seed)
    attenuation = at["photo"] + at["incoherent"] + at["pair"]
    steeper = 1.0 + at["coherent"] / attenuation
    uncollided = at["deposited"] / (attenuation * steeper) * -np.diff(np.exp(-EDGES * steeper))
    unit = -np.diff(np.exp(-EDGES))
    total = scattered + uncollided
    return attenuation, total / unit, error / total, float(total.sum())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=240_000)
    parser.add_argument("--output", type=Path, default=Path("src/nichedose/dose/data/photon_kernels_water.csv"))
    parser.add_argument("--energies", type=float, nargs="*", default=ENERGY_KEV, help="keV")
    arguments = parser.parse_args()
    sections = cross_sections()
    a, b = EDGES[:-1], EDGES[1:]
    middle = ((1.0 + a) * np.exp(-a) - (1.0 + b) * np.exp(-b)) / (np.exp(-a) - np.exp(-b))
    columns = []
    for energy in arguments.energies:
        attenuation, g, error, total = kernel(energy * 1e-3, arguments.histories, round(10.0 * energy))
        at = {k: float(np.interp(np.log(energy * 1e-3), np.log(GRID), v)) for k, v in sections.items()}
        start = at["deposited"] / attenuation
        columns.append([energy, attenuation, at["coherent"], at["deposited"], total, start, *g])
        print(f"{energy:g} keV: mu/rho {attenuation + at['coherent']:.5g}, deposited {at['deposited']:.5g} cm2/g, "
              f"energy {total:.5f}, error at 10 mfp {error[np.searchsorted(middle, 10.0)]:.4f}, "
              f"20 mfp {error[np.searchsorted(middle, 20.0)]:.4f}", flush=True)
    names = ["energy_keV", "attenuation_cm2_per_g", "coherent_cm2_per_g", "deposited_cm2_per_g", "energy_sum", "0",
             *(f"{x:.6g}" for x in middle)]
    lines = ["# exp(x) dF/dx, F the share of a photon's energy deposited within x mean free paths (coherent scattering "
             "not counted) of a point source in water, at x; provenance: PROVENANCE.md"]
    lines += [",".join([name, *(f"{column[i]:.5g}" for column in columns)]) for i, name in enumerate(names)]
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
