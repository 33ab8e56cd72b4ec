"""Write the decay data that nichedose ships, from ENSDF.

Run by hand, in an environment of its own, never by nichedose (``paceENSDF`` takes 2.3 GB):

    pip install paceENSDF thecobs xraylib
    python tools/extract_ensdf.py src/nichedose/nuclide/data/ensdf.json

ENSDF gives half-lives, branchings, alphas, beta end points and intensities, capture fractions, gamma rays and
conversion coefficients; ``thecobs`` the shape of beta spectra; ``xraylib`` what fills the vacancies. The equations are
in docs/theory/decay.md. Energies are in MeV in the file, in keV here.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import paceENSDF
import xraylib
from scipy.interpolate import PchipInterpolator
from thecobs.Constants import ELECTRON_MASS_KEV
from thecobs.Functions import getEltonNuclearRadius
from thecobs.Generator import getExchangeParams
from thecobs.Screening import screening_potential
from thecobs.SpectralFunctions import (
    atomic_exchange,
    atomic_screening,
    fermi_function,
    finite_size_L0,
    finite_size_U_fermi,
    phase_space,
    radiative_correction,
    shape_factor_unique_forbidden,
)

FOLDER = Path(paceENSDF.__file__).parent / "ENSDF_JSON"
# The library's radionuclides with their progeny, then others in wide use.
NUCLIDES = (
    "177Lu", "161Tb", "90Y", "131I", "67Cu", "225Ac", "221Fr", "217At", "213Bi", "213Po", "209Tl", "209Pb", "211At",
    "211Po", "207Bi", "212Pb", "212Bi", "212Po", "208Tl",
    "227Th", "223Ra", "219Rn", "215Po", "211Pb", "211Bi", "207Tl", "224Ra", "220Rn", "216Po", "99Tc", "111In", "68Ga",
    "64Cu", "89Zr", "18F",
)
# Isomers that are radionuclides of their own: the data set whose level scheme holds them, and the level, keV.
ISOMERS = {"99mTc": ("99Mo", 142.68, "99Tc"), "131mXe": ("131I", 163.93, None)}
# 99Mo's data set gives no intensities below 99mTc. ENSDF's data set of the isomer (E. Browne, J. K. Tuli, Nucl. Data
# Sheets 145, 25 (2017)) has 0.89 photons of 140.5 keV per decay; what does not pass there goes straight to the ground.
PHOTONS_BELOW = {"99mTc": (140.511, 0.89)}
ALPHA_MASS_U = 4.001506  # CODATA 2018
LINES = ("alpha", "recoil", "conversion", "auger", "photon")
SHELLS = [name[:-6] for name in dir(xraylib) if name.endswith("_SHELL")]
SHELLS.sort(key=lambda s: getattr(xraylib, s + "_SHELL"))
MERGED = 1e-4  # of a quality's energy: the faintest lines that hold it join their neighbours
# Listed without a coefficient; the intensity is that of the transition (with it the level below is in balance), and
# at this energy nothing inside the M shell can be converted.
ALL_CONVERTED = {("Ac225", 10.642): "M"}
Counts = defaultdict[str, float]
Pairs = list[tuple[float, float]]


# --- what xraylib knows; it raises where it has no value ---

def known(function: Any, z: int, name: str) -> float:
    try:
        return float(function(z, getattr(xraylib, name)))
    except ValueError:
        return 0.0


@cache
def binding_keV(z: int, shell: str) -> float:
    return known(xraylib.EdgeEnergy, z, shell + "_SHELL")


@cache
def electrons(z: int, shell: str) -> float:
    return known(xraylib.ElectronConfig, z, shell + "_SHELL")


@cache
def radiative(z: int, shell: str) -> tuple[tuple[str, float], ...]:
    """Where the electron comes from, and how often of all X rays that fill ``shell``."""
    rates = {s: known(xraylib.RadRate, z, f"{shell}{s}_LINE") for s in SHELLS if hasattr(xraylib, f"{shell}{s}_LINE")}
    rates = {s: r for s, r in rates.items() if r > 0.0 and binding_keV(z, s) > 0.0}
    return tuple((s, r / sum(rates.values())) for s, r in rates.items())


@cache
def auger(z: int, shell: str) -> tuple[tuple[str, str, float], ...]:
    """The two shells left open, and how often of all Auger electrons that fill ``shell``."""
    pattern = re.compile(rf"{shell}_([A-Z]\d)([A-Z]\d)_AUGER$")
    found = [(m[1], m[2], known(xraylib.AugerRate, z, m[0])) for m in map(pattern.match, dir(xraylib)) if m]
    found = [(a, b, r) for a, b, r in found
             if r > 0.0 and 0.0 < binding_keV(z, a) + binding_keV(z, b) < binding_keV(z, shell)]
    if not found:
        found = by_occupancy(z, shell)
    total = sum(r for _, _, r in found)  # 0 only where nothing was found
    return tuple((a, b, r / total) for a, b, r in found)


def by_occupancy(z: int, shell: str) -> list[tuple[str, str, float]]:
    """M shells have no Auger rates: any two electrons of the next principal shell, each as likely."""
    outer = [s for s in SHELLS if s[0] == chr(ord(shell[0]) + 1) and binding_keV(z, s) > 0.0 and electrons(z, s) > 0.0]
    return [(a, b, electrons(z, a) * electrons(z, b)) for a in outer for b in outer
            if binding_keV(z, a) + binding_keV(z, b) < binding_keV(z, shell)]


@cache
def coster_kronig(z: int, shell: str) -> tuple[tuple[str, float], ...]:
    if shell[0] not in "LM":
        return ()
    names = {f"{shell[0]}{j}": f"F{shell[0]}{shell[1]}{j}_TRANS" for j in range(int(shell[1]) + 1, 6)}
    rates = {s: known(xraylib.CosKronTransProb, z, n) for s, n in names.items() if hasattr(xraylib, n)}
    return tuple((s, r) for s, r in rates.items() if r > 0.0)


def ejected(z: int, available_keV: float, shell: str) -> str | None:
    """The shell that a Coster-Kronig electron comes from: the most tightly bound of the next principal shells."""
    outer = [s for s in SHELLS if s[0] > shell[0] and 0.0 < binding_keV(z, s) < available_keV and electrons(z, s) > 0.0]
    return max(outer, key=lambda s: binding_keV(z, s), default=None)


def relax(z: int, vacancies: dict[str, float]) -> tuple[Pairs, Pairs]:
    """X rays and Auger electrons as the vacancies move out; mean numbers, neutral-atom binding: energy is kept."""
    open_shells: Counts = defaultdict(float, vacancies)
    x_rays: Pairs = []
    electrons_out: Pairs = []

    def emit(into: Pairs, count: float, shell: str, *others: str) -> None:
        into.append((binding_keV(z, shell) - sum(binding_keV(z, s) for s in others), count))
        for other in others:
            open_shells[other] += count

    for shell in SHELLS:
        count = open_shells[shell]
        if count <= 0.0 or binding_keV(z, shell) <= 0.0:
            continue
        shares = {s: f for s, f in coster_kronig(z, shell)
                  if ejected(z, binding_keV(z, shell) - binding_keV(z, s), shell) is not None}
        light = known(xraylib.FluorYield, z, shell + "_SHELL") if radiative(z, shell) else 0.0
        for target, share in shares.items():
            third = ejected(z, binding_keV(z, shell) - binding_keV(z, target), shell)
            emit(electrons_out, count * share, shell, target, str(third))
        for source, rate in radiative(z, shell):
            emit(x_rays, count * light * rate, shell, source)
        rest = count * (1.0 - light - sum(shares.values()))
        pairs = auger(z, shell) if shell[0] in "KLM" else ()
        for a, b, rate in pairs:
            emit(electrons_out, rest * rate, shell, a, b)
        if not pairs:
            emit(electrons_out, rest, shell)  # outer vacancies give up their binding energy as one electron
    return x_rays, electrons_out


# --- ENSDF ---

def datasets(nuclide: str) -> list[dict[str, Any]]:
    mass, symbol = re.match(r"(\d+)([A-Z][a-z]?)$", nuclide).groups()  # type: ignore[union-attr]
    files = sorted(FOLDER.glob(f"j_input_{symbol}{mass}_*_0keV.json"))
    if not files:
        raise SystemExit(f"paceENSDF has no decay of {nuclide}")
    return [json.loads(path.read_text()) for path in files]


def norm(data: dict[str, Any]) -> tuple[float, float]:
    """Branching of the mode, and what multiplies gamma intensities to give a percentage of the parent's decays."""
    record = data["decaySchemeNormalization"][0]["normalizationRecord"][0]
    production = data["decaySchemeNormalization"][0]["productionNormalizationRecord"][0]
    branching = float(record["multiplerBranchingRatio"])
    if production["recordExistsPNR"]:
        return branching, float(production["multiplierPhotonIntensityBranchingRatioCorrected"])
    return branching, branching * float(record["multiplerPhotonIntensity"])


def conversion(gamma: dict[str, Any]) -> dict[str, float]:
    """Conversion coefficients by principal shell: those calculated, else measured, else the total."""
    listed = gamma["calculatedAtomicShellConversionCoefficients"][0]
    sums = gamma["sumCalculatedAtomicShellConversionCoefficients"][0]
    shells = {s: float(listed[f"calculatedInternalConversionCoefficientAtomicShell{s}"] or 0.0) for s in "KLMNOPQ"}
    for s in "LMNOPQ":
        if not any(shells[t] for t in "LMNOPQ"["LMNOPQ".index(s):]):
            shells[s] = float(sums.get(f"sumConversionCoefficientsAtomicShellPlus{s}") or 0.0)
            if shells[s]:
                break
    measured = gamma["experimentalAtomicShellConversionCoefficients"][0]
    if sum(shells.values()) == 0.0:
        shells = {s: float(measured[f"experimentalInternalConversionCoefficientAtomicShell{s}"] or 0.0) for s in shells}
    total = gamma["calculatedTotalInternalConversionCoefficient"] or \
        gamma["experimentalTotalInternalConversionCoefficient"] or 0.0
    if total > 0.0 and sum(shells.values()) == 0.0:  # assumed: all from the K shell where it can be
        shells["K" if gamma["gammaEnergy"] > 120.0 else "L"] = float(total)
    return {s: a for s, a in shells.items() if a > 0.0}


def first_shells(z: int, principal: str, gamma: dict[str, Any]) -> dict[str, float]:
    """Subshells that conversion empties. ENSDF gives principal shells alone; assumed for L and M: E1 empties the first
    three alike, E2 the second and third, all else the first; M1 with E2 by the mixing ratio."""
    kind, ratio = (gamma["multipolarity"] or "").strip("()[]"), gamma["mixingRatio"]
    e2 = 1.0 if kind == "E2" else 0.0
    if ratio is not None and {"M1", "E2"} == set(re.findall(r"[EM]\d", kind)):
        e2 = float(ratio) ** 2 / (1.0 + float(ratio) ** 2)
    parts = {"1": 1.0 - e2, "2": 0.5 * e2, "3": 0.5 * e2} if kind != "E1" else dict.fromkeys("123", 1.0 / 3.0)
    shells = {"K": 1.0} if principal == "K" else {f"{principal}{i}": share for i, share in parts.items()}
    if principal not in "KLM":
        shells = {f"{principal}1": 1.0}
    shells = {s: share for s, share in shells.items() if share > 0.0 and binding_keV(z, s) > 0.0}
    return {s: share / sum(shells.values()) for s, share in shells.items()}


class Tally:
    """What one radionuclide emits, keV and per decay, as it is gathered."""

    def __init__(self) -> None:
        self.lines: dict[str, Pairs] = defaultdict(list)
        self.branches: list[dict[str, Any]] = []
        self.progeny: dict[str, float] = {}
        self.q_keV = 0.0
        self.neutrino_keV = 0.0  # of capture alone; that of beta decay is end point less mean
        self.vacancies: dict[int, Counts] = defaultdict(lambda: defaultdict(float))

    def transition(self, z: int, gamma: dict[str, Any], photons: float) -> None:
        if photons > 0.0:
            self.lines["photon"].append((float(gamma["gammaEnergy"]), photons))
            self.convert(z, gamma, {s: photons * a for s, a in conversion(gamma).items()})

    def convert(self, z: int, gamma: dict[str, Any], per_decay: dict[str, float]) -> None:
        """Conversion electrons of one transition, ``per_decay`` by principal shell, and the vacancies they leave."""
        energy = float(gamma["gammaEnergy"])
        for principal, count in per_decay.items():
            shells = first_shells(z, principal, gamma)
            for shell, share in shells.items():
                if energy > binding_keV(z, shell):
                    self.lines["conversion"].append((energy - binding_keV(z, shell), count * share))
                    self.vacancies[z][shell] += count * share
            if not shells:
                self.lines["conversion"].append((energy, count))  # bound by a few electronvolts

    def captured(self, z: int, branch: dict[str, Any], per_decay: float, q_keV: float) -> None:
        """``per_decay`` captures; ENSDF's shell fractions are of capture and positrons together, so they are scaled."""
        got = branch["calculatedAtomicShellElectronCaptureFractions"][0]
        sums = branch["sumCalculatedAtomicShellElectronCaptureFractions"][0]
        share = {s: float(got[f"calculatedElectronCaptureFractionAtomicShell{s}"] or 0.0) for s in "KLM"}
        share["M"] = share["M"] or float(sums.get("sumElectronCaptureFractionAtomicShellPlusM") or 0.0)
        total = sum(share.values())
        scale = per_decay / total if total > 0.0 else 0.0
        if total == 0.0:
            share, scale = {"K": 1.0}, per_decay
        for principal, fraction in share.items():
            shell = "K" if principal == "K" else f"{principal}1"
            self.vacancies[z][shell] += fraction * scale
            self.neutrino_keV += fraction * scale * (q_keV - binding_keV(z, shell))


def gather(nuclide: str) -> tuple[Tally, float]:
    tally, half_life_h = Tally(), 0.0
    for data in datasets(nuclide):
        branching, photon_norm = norm(data)
        if branching < 1e-4:
            continue
        parent = data["parentDecay"][0]
        best = parent["halfLife"][0]
        half_life_h = half_life_h or float(best["halfLifeConverted"]) / 3600.0
        daughter = re.sub(r"([A-Z][a-z]?)(\d+)", r"\2\1", data["daughterID"])
        isomer = next(((n, level) for n, (p, level, _) in ISOMERS.items() if p == nuclide), (None, -1.0))
        into_isomer = one_mode(tally, data, branching, photon_norm / 100.0, isomer[1])
        tally.q_keV += branching * float(parent["valueQ"]) - into_isomer * max(isomer[1], 0.0)
        if isomer[0] is not None:
            tally.progeny[isomer[0]] = into_isomer
        if daughter in NUCLIDES:
            tally.progeny[daughter] = branching
    return tally, half_life_h


def one_mode(tally: Tally, data: dict[str, Any], branching: float, photon_norm: float, isomer_keV: float) -> float:
    """Particles and gamma rays of one data set; returns how often the isomer (if any) is fed."""
    mode, z = data["decayMode"], int(data["daughterAtomicNumber"])
    listed = "betaPlusDecay" if mode.startswith("electron") else mode  # the name of the list within a level
    rows = [(level, row) for level in data["levelScheme"] for row in (level.get(listed) or level.get(mode) or [])]
    key = {"alphaDecay": "alphaIntensity", "betaMinusDecay": "betaMinusIntensity",
           "electronCaptureBetaPlusDecay": "totalElectronCaptureBetaPlusIntensity"}[mode]
    total = sum(row[key] or sum_of_capture(row) for _, row in rows)
    fed = 0.0
    for level, row in rows:
        per_decay = branching * (row[key] or sum_of_capture(row)) / total
        if abs(level["levelEnergy"] - isomer_keV) < 0.1:
            fed += per_decay
        if per_decay > 0.0:
            particle(tally, data, z, row, per_decay, float(data["parentDecay"][0]["valueQ"]) - level["levelEnergy"])
    fed += gammas(tally, data, photon_norm, isomer_keV)
    if data["parentID"] == "Ac225":
        balance(tally, data, photon_norm, branching / total)
    return fed


def gammas(tally: Tally, data: dict[str, Any], photon_norm: float, isomer_keV: float) -> float:
    z, fed = int(data["daughterAtomicNumber"]), 0.0
    for level in data["levelScheme"]:
        if abs(level["levelEnergy"] - isomer_keV) < 0.1:
            continue  # its gamma rays are the isomer's
        for gamma in level["gammaDecay"] or []:
            photons = photon_norm * float(gamma["gammaIntensity"] or 0.0)
            if (data["parentID"], gamma["gammaEnergy"]) in ALL_CONVERTED:
                tally.convert(z, gamma, {ALL_CONVERTED[data["parentID"], gamma["gammaEnergy"]]: photons})
                continue
            tally.transition(z, gamma, photons)
            if abs((gamma["levelEnergyFinal"] or -9.0) - isomer_keV) < 0.1:
                fed += photons * (1.0 + sum(conversion(gamma).values()))
    return fed


def balance(tally: Tally, data: dict[str, Any], photon_norm: float, alpha_norm: float) -> None:
    """Give what enters a level and does not leave it to conversion of the level's transitions, from the top down."""
    z = int(data["daughterAtomicNumber"])
    entering: dict[int, float] = defaultdict(float)
    for level in sorted(data["levelScheme"], key=lambda one: -one["levelEnergy"]):
        index = level["levelIndex"]
        entering[index] += alpha_norm * sum(row["alphaIntensity"] or 0.0 for row in level.get("alphaDecay") or [])
        out = [(g, photon_norm * float(g["gammaIntensity"] or 0.0), conversion(g)) for g in level["gammaDecay"] or []]
        listed = [n * (1.0 + sum(a.values())) for _, n, a in out]
        converted = [n * sum(a.values()) for _, n, a in out]
        missing = entering[index] - sum(listed)
        for (gamma, _, by_shell), whole, part in zip(out, listed, converted, strict=True):
            more = max(missing, 0.0) * part / sum(converted) if part > 0.0 else 0.0
            if more > 0.0:
                tally.convert(z, gamma, {s: more * a / sum(by_shell.values()) for s, a in by_shell.items()})
            entering[gamma["levelIndexFinal"]] += whole + more


def sum_of_capture(row: dict[str, Any]) -> float:
    return float(row.get("electronCaptureIntensity") or 0.0) + float(row.get("betaPlusIntensity") or 0.0)


def particle(tally: Tally, data: dict[str, Any], z: int, row: dict[str, Any], per_decay: float, q_keV: float) -> None:
    """``q_keV`` to this level: end points follow from it, since some of those listed are old measurements."""
    mode, mass = data["decayMode"], int(data["daughterAtomicMass"])
    if mode == "alphaDecay":
        energy = float(row["alphaEnergy"])
        tally.lines["alpha"].append((energy, per_decay))
        tally.lines["recoil"].append((energy * ALPHA_MASS_U / mass, per_decay))
        return
    change = row.get("selectionRulesDeltaJ")
    order = int(abs(change)) if change is not None and abs(change) >= 2 else 0
    label = row.get("forbiddennessDegree") or "unknown"
    if mode == "betaMinusDecay":
        tally.branches.append({"end": q_keV, "n": per_decay, "z": z, "a": mass, "order": order,
                               "label": label, "listed": row["averageBetaMinusEnergy"]})
        return
    capture, positron = float(row["electronCaptureIntensity"] or 0.0), float(row["betaPlusIntensity"] or 0.0)
    share = positron / (capture + positron)
    if share > 0.0:
        end = q_keV - 2.0 * ELECTRON_MASS_KEV
        tally.branches.append({"end": end, "n": per_decay * share, "z": -z, "a": mass, "order": order, "label": label,
                               "listed": row["averageBetaPlusEnergy"]})
        tally.lines["photon"].append((ELECTRON_MASS_KEV, 2.0 * per_decay * share))
    tally.captured(z, row, per_decay * (1.0 - share), q_keV)


def isomeric(nuclide: str) -> tuple[Tally, float]:
    """An isomer's cascade: its level is fed once, and each level's decays are shared as its gammas' intensities."""
    parent, level_keV, daughter = ISOMERS[nuclide]
    data, tally = datasets(parent)[0], Tally()
    z = int(data["daughterAtomicNumber"])
    levels = {level["levelIndex"]: level for level in data["levelScheme"]}
    start = next(i for i, level in levels.items() if abs(level["levelEnergy"] - level_keV) < 0.1)
    fed: dict[int, float] = defaultdict(float, {start: 1.0})
    for index in sorted(levels, reverse=True):
        gammas = levels[index]["gammaDecay"] or []
        weights = [(g["gammaIntensity"] or 0.0) * (1.0 + sum(conversion(g).values())) for g in gammas]
        if nuclide in PHOTONS_BELOW and index == start:
            weights = shared(PHOTONS_BELOW[nuclide], levels, gammas)
        elif len(gammas) == 1:
            weights = [1.0]
        for gamma, weight in zip(gammas, weights, strict=True):
            times = fed[index] * weight / sum(weights) if fed[index] > 0.0 and weight > 0.0 else 0.0
            if times > 0.0:
                tally.transition(z, gamma, times / (1.0 + sum(conversion(gamma).values())))
                fed[gamma["levelIndexFinal"]] += times
    tally.q_keV = float(levels[start]["levelEnergy"])
    if daughter is not None:
        tally.progeny[daughter] = 1.0
    return tally, float(levels[start]["isomerDecay"][0]["halfLifeConverted"]) / 3600.0


def shared(below: tuple[float, float], levels: dict[int, Any], gammas: list[dict[str, Any]]) -> list[float]:
    """How an isomer's transitions share its decays when the photons of the transition below are known."""
    gamma = next(g for level in levels.values() for g in level["gammaDecay"] or [] if g["gammaEnergy"] == below[0])
    through = below[1] * (1.0 + sum(conversion(gamma).values()))
    return [through if g["levelIndexFinal"] == gamma["levelIndexInitial"] else 1.0 - through for g in gammas]


# --- beta spectra ---

def shape(branch: dict[str, Any], energy_keV: np.ndarray) -> np.ndarray:
    """Number per keV at ``energy_keV`` (below the end point), not normalised."""
    w, w0 = 1.0 + energy_keV / ELECTRON_MASS_KEV, 1.0 + branch["end"] / ELECTRON_MASS_KEV
    z, radius = branch["z"], getEltonNuclearRadius(branch["a"], natUnits=True) * np.sqrt(5.0 / 3.0)
    out = phase_space(w, w0) * fermi_function(w, z, radius) * finite_size_L0(w, z, radius)
    out = out * finite_size_U_fermi(w, z) * radiative_correction(w, z, w0, radius)
    out = out * atomic_screening(w, z, radius, screening_potential(z))
    if z > 0:
        out = out * atomic_exchange(w, getExchangeParams(z))
    if branch["order"]:
        out = out * shape_factor_unique_forbidden(w, branch["order"], w0, z, radius)
    return np.nan_to_num(np.clip(np.real(out), 0.0, None))


def normalised(branch: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, float]:
    """A fine grid, the density per keV that integrates to one, and the mean energy; keV."""
    end = float(branch["end"])
    low = 0.02 * end + 0.2
    energy = np.unique(np.concatenate([np.geomspace(0.1, low, 60), np.linspace(low, end, 600)]))
    density = np.concatenate([shape(branch, energy[:-1]), [0.0]])
    energy, density = np.concatenate([[0.0], energy]), np.concatenate([[density[0]], density])
    curve = PchipInterpolator(energy, density)
    area = float(curve.integrate(0.0, end))
    mean = float(PchipInterpolator(energy, density * energy).integrate(0.0, end)) / area
    return energy, density / area, mean


def spectrum(branches: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """All branches together on about a hundred energies, MeV and per MeV per decay."""
    strong = [b for b in branches if b["n"] >= 0.01 * sum(c["n"] for c in branches)]
    per_branch = max(24, 110 // max(1, len(strong)))
    top = max(b["end"] for b in branches)
    knots = [np.array([0.0]), np.geomspace(1e-3, 0.02, 6) * top]
    for branch in sorted(strong, key=lambda b: -b["n"])[:6]:
        knots.append(branch["end"] * 0.5 * (1.0 - np.cos(np.pi * np.arange(1, per_branch + 1) / per_branch)))
    knots.append(np.linspace(0.05, 1.0, 30) * top)
    grid = np.unique(np.round(np.concatenate(knots), 3))
    grid = grid[np.concatenate([[True], np.diff(grid) > 2e-3 * top * 0.5])]
    grid[-1] = top
    total = np.zeros(len(grid))
    for branch in branches:
        energy, density = branch["grid"]
        total += branch["n"] * np.where(grid < branch["end"], PchipInterpolator(energy, density)(
            np.minimum(grid, branch["end"])), 0.0)
    return [digits(e / 1000.0, 6) for e in grid], [digits(1000.0 * d, 5) for d in total]


# --- writing ---

def digits(value: float, count: int) -> float:
    return float(f"{value:.{count}g}")


def thinned(pairs: Iterable[tuple[float, float]]) -> list[list[float]]:
    """Lines by energy; the faintest join their nearest neighbour. Numbers and energy are kept."""
    merged: dict[float, float] = defaultdict(float)
    for energy, count in pairs:
        if count > 0.0 and energy > 0.0:
            merged[round(energy, 4)] += count
    lines = [[e, n] for e, n in sorted(merged.items())]
    left = MERGED * sum(e * n for e, n in lines)
    while len(lines) > 1:
        here = min(range(len(lines)), key=lambda i: lines[i][0] * lines[i][1])
        energy, count = lines[here]
        left -= energy * count
        if left < 0.0:
            break
        lines.pop(here)
        near = min((i for i in (here - 1, here) if 0 <= i < len(lines)), key=lambda i: abs(lines[i][0] - energy))
        e, n = lines[near]
        lines[near] = [(e * n + energy * count) / (n + count), n + count]
    return [[digits(e / 1000.0, 7), digits(n, 6)] for e, n in lines]


def grouped(pairs: Pairs) -> Pairs:
    """Atomic lines in groups of a twentieth of a decade: thousands of them say no more at a micrometre."""
    groups: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for energy, count in pairs:
        if energy > 0.0 and count > 0.0:
            group = groups[int(np.floor(20.0 * np.log10(energy)))]
            group[0] += energy * count
            group[1] += count
    return [(e / n, n) for e, n in groups.values()]


def finish(tally: Tally, half_life_h: float) -> dict[str, Any]:
    for z, vacancies in tally.vacancies.items():
        x_rays, augers = relax(z, vacancies)
        tally.lines["photon"] += grouped(x_rays)
        tally.lines["auger"] += grouped(augers)
    record: dict[str, Any] = {"half_life_h": digits(half_life_h, 9), "q_MeV": digits(tally.q_keV / 1000.0, 7)}
    if tally.progeny:
        record["progeny"] = {n: digits(f, 6) for n, f in tally.progeny.items()}
    neutrino = tally.neutrino_keV
    for branch in tally.branches:
        energy, density, branch["mean"] = normalised(branch)
        branch["grid"] = (energy, density)
        neutrino += branch["n"] * (branch["end"] - branch["mean"])
    record["neutrino_MeV"] = digits(neutrino / 1000.0, 6)
    for quality in LINES:
        if tally.lines.get(quality):
            record[quality] = thinned(tally.lines[quality])
    if tally.branches:
        record["beta"] = [[digits(b["end"] / 1000.0, 7), digits(b["mean"] / 1000.0, 6), digits(b["n"], 6),
                           "+" if b["z"] < 0 else "-", b["label"]] for b in tally.branches if b["n"] > 1e-6]
        record["spectrum"] = spectrum(tally.branches)
    return record


def report(nuclide: str, record: dict[str, Any], tally: Tally) -> None:
    """Energy out against energy set free, and mean beta energies against those that ENSDF lists."""
    energy = {q: sum(e * n for e, n in record.get(q, [])) for q in LINES}
    energy["beta"] = sum(b[1] * b[2] for b in record.get("beta", []))
    out = (sum(energy.values()) + record["neutrino_MeV"]) / record["q_MeV"]
    print(f"{nuclide:7s} T {record['half_life_h']:12.6g} h  Q {record['q_MeV']:8.5f} MeV  out/Q {out:.4f} ",
          {q: round(e, 5) for q, e in energy.items() if e}, record.get("progeny", ""))
    for b in tally.branches:
        if b["listed"] and b["n"] > 0.05:
            print(f"          beta {b['end']:8.1f} keV {b['label']:>4} order {b['order']} mean {b['mean']:7.2f} "
                  f"(listed {b['listed']:7.2f})")


def main(target: Path) -> None:
    records = {}
    for nuclide in (*NUCLIDES, *ISOMERS):
        tally, half_life_h = isomeric(nuclide) if nuclide in ISOMERS else gather(nuclide)
        record = records[nuclide] = finish(tally, half_life_h)
        report(nuclide, record, tally)
    packages = {name: importlib.metadata.version(name) for name in ("paceENSDF", "thecobs", "xraylib")}
    lines = ",\n".join(f'"{n}": {json.dumps(r, separators=(",", ":"))}' for n, r in records.items())
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f'{{"packages": {json.dumps(packages)},\n"nuclides": {{\n{lines}\n}}}}\n')
    print(f"{len(records)} radionuclides, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
