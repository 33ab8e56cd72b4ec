"""Published forms of the oxygen effect, brought to one: OER(p, L) = (p + K)/(p + K/O(L)), O the OER of anoxia at LET L.

Written so, every form is its O(L), the particle it was measured with, and K. Along a track 1/OER is averaged by dose;
because 1/OER is linear in 1/O the average is of the same form, with 1/O averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from nichedose.dose.alphas import alpha_stopping_keV_per_um
from nichedose.effect.oxygen import in_common_form
from nichedose.errors import BadInput, OutOfValidity, near_miss
from nichedose.fields.grid import Array
from nichedose.nuclide import Lines

__all__ = ["OER_FORMS", "OerForm", "oer_form", "track_oer_max"]

Particle = Literal["any", "helium", "carbon"]

FLAT_BELOW_MEV = 0.4  # the end of a track counts at the LET it has here; OER is not known beyond the Bragg peak
TRACK_POINTS = 400


@dataclass(frozen=True)
class OerForm:
    """One published form. ``anoxic`` maps LET (keV/um) to the OER of anoxia; ``let_keV_per_um`` is where it has data.

    ``half_pressure_mmHg`` is the form's K at low LET. Forms differ in what stays when LET rises: K itself, or K/O
    (``keeps``). ``reading`` says how the numbers were read.
    """

    name: str
    particle: Particle
    cells: str
    anoxic: Callable[[Array], Array]
    let_keV_per_um: tuple[float, float]
    half_pressure_mmHg: float
    source: str
    reading: str
    keeps: Literal["K", "K/O"] = "K"

    def oer_max(self, let_keV_per_um: Array | float) -> Array:
        """OER of anoxia at each LET; raises `BadInput` for negative or missing LET, `OutOfValidity` outside the data.

        >>> float(oer_form("barendsen").oer_max(110.0))
        1.3
        """
        let = np.asarray(let_keV_per_um, dtype=float)
        if not np.isfinite(let).all() or bool((let < 0.0).any()):
            raise BadInput("LET must be finite and not negative (keV/um).")
        low, high = self.let_keV_per_um
        if bool((let < low).any()) or bool((let > high).any()):
            raise OutOfValidity(f"The OER form '{self.name}' holds from {low:g} to {high:g} keV/um; asked at "
                                f"{float(let.min()):.3g} to {float(let.max()):.3g}. Choose another form.")
        return np.maximum(self.anoxic(let), 1.0)

    def oer(self, oxygen_mmHg: ArrayLike, let_keV_per_um: Array | float) -> Array:
        """OER at ``oxygen_mmHg`` and each LET, as the form was published.

        >>> float(oer_form("tinganelli").oer(2.5, 100.0).round(2))
        1.33
        """
        anoxic = self.oer_max(let_keV_per_um)
        grown = anoxic / self.low_let_oer_max if self.keeps == "K/O" else np.ones(())
        return in_common_form(oxygen_mmHg, anoxic, self.half_pressure_mmHg * grown)

    @property
    def low_let_oer_max(self) -> float:
        """OER of anoxia at the lowest LET that the form knows: what it says of electrons and photons."""
        return float(self.oer_max(self.let_keV_per_um[0]))


def _table(let: tuple[float, ...], oer: tuple[float, ...]) -> Callable[[Array], Array]:
    return lambda x: np.interp(x, let, oer)


def _antonovic(let: Array) -> Array:
    return 1.10 + (2.92 - 1.10) * np.exp(-((let / 114.0) ** 2))


def _tinganelli(let: Array) -> Array:
    return (8.27e5 * 2.7 + let**3) / (8.27e5 + let**3)


_FORMS = (
    OerForm(
        "low_let", "any", "V79", lambda let: np.full(np.shape(let), 2.92), (0.0, 10.0), 2.5,
        "Antonovic et al. 2014, doi:10.1093/jrr/rru020, its limit of low LET", "code of PyTRiP98 (rcr.py)"),
    OerForm(
        "barendsen", "helium", "human kidney T1",
        _table((4.3, 16.0, 34.0, 52.0, 62.0, 78.0, 88.0, 94.0, 101.0, 110.0, 120.0, 128.0, 149.0, 179.0, 227.0),
               (2.58, 2.43, 2.28, 2.12, 2.03, 1.83, 1.65, 1.51, 1.39, 1.30, 1.23, 1.18, 1.09, 1.03, 1.00)),
        (0.0, 300.0), 3.0,
        "Barendsen et al. 1966, deuterons and alpha particles; K from Sovik et al.",
        "digitised points of PyTRiP98 (OER_barendsen.dat); two independent digitisations agree"),
    OerForm(
        "antonovic", "carbon", "V79", _antonovic, (0.0, 500.0), 2.5,
        "Antonovic et al. 2014, doi:10.1093/jrr/rru020", "code of PyTRiP98 (rcr.py)"),
    OerForm(
        "tinganelli", "carbon", "CHO", _tinganelli, (0.0, 400.0), 0.0025 * 760.0 * 2.7,
        "Scifoni et al. 2013 and Tinganelli et al. 2015; K/O = 0.25 % O2 at every LET",
        "constants recalled, then checked against the 23 values measured in 2015: chi-square 26", "K/O"),
    OerForm(
        "furusawa", "carbon", "HSG",
        _table((12.0, 28.7, 56.0, 77.0, 95.0, 105.0, 125.0, 146.0, 175.0, 230.0, 323.0, 572.0),
               (2.99, 2.93, 2.68, 2.35, 2.05, 1.90, 1.67, 1.47, 1.31, 1.14, 1.06, 1.01)),
        (0.0, 572.0), 3.0,
        "Furusawa et al., carbon ions; K from Sovik et al.", "digitised points of PyTRiP98 (OER_furusawa_HSG_C12.dat)"),
)

OER_FORMS: Mapping[str, OerForm] = {form.name: form for form in _FORMS}


def oer_form(name: str) -> OerForm:
    """The form called ``name``; raises `BadInput` with near misses."""
    if name not in OER_FORMS:
        raise BadInput(f"No OER form '{name}'.{near_miss(name, OER_FORMS)}")
    return OER_FORMS[name]


def track_oer_max(lines: Lines, form: OerForm) -> float:
    """OER of anoxia of alpha particles that stop in the tissue, 1/OER averaged by dose over whole tracks.

    ``lines``: energies (MeV) and yields; one number for all, weighted by the energy that each brings.
    Raises `BadInput` without lines.

    >>> from nichedose.nuclide import Lines
    >>> round(track_oer_max(Lines(np.array([5.83]), np.array([1.0])), oer_form("barendsen")), 2)
    1.22
    """
    energy, weight = np.asarray(lines.energy_MeV, float), np.asarray(lines.per_decay, float)
    total = float(energy @ weight)
    if not total > 0.0:
        raise BadInput("A track average needs at least one alpha line with a yield above 0.")
    inverse = sum(e * w * _inverse_along_track(float(e), form) for e, w in zip(energy, weight, strict=True))
    return float(total / inverse)


def _inverse_along_track(energy_MeV: float, form: OerForm) -> float:
    """Mean of 1/O over the energy that is lost from ``energy_MeV`` to rest: even steps of energy weigh by dose."""
    energy = (np.arange(TRACK_POINTS) + 0.5) * energy_MeV / TRACK_POINTS
    let = alpha_stopping_keV_per_um(np.maximum(energy, FLAT_BELOW_MEV))
    return float(np.mean(1.0 / form.oer_max(let)))
