"""Transport properties of a ligand from its molar mass."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput, OutOfValidity
from nichedose.fields.grid import Array
from nichedose.fields.number import is_number, real_array

__all__ = [
    "SizeProperties", "ligand_from_radius", "ligand_from_size", "matrix_hindrance", "mouse_plasma_clearance_per_h",
]

# Schmidt & Wittrup 2009 (doi:10.1158/1535-7163.MCT-09-0195): radius law, two-pore capillary wall and available volume.
RADIUS_NM_PER_CUBE_ROOT_KDA, RADIUS_EXPONENT = 0.912, 0.333
DIFFUSIVITY_NM_CM2_PER_S = 3e-6
WALL_PORES = ((4.5, 17.6), (500.0, 0.65))  # radius nm, area per thickness 1/cm
VOID_PORES = ((13.8, 0.9), (1000.0, 0.1))  # radius nm, share
INTERSTITIAL_FRACTION = 0.5
# Drag of a sphere on the axis of a tube over that without walls, where the centre-line series ends: Paine & Scherr,
# Biophys J 1975;15:1087, as tabulated in a public implementation of the size law (function SchmidtPerm by N. Momin).
SERIES_LIMIT, TABLE_LIMIT = 0.6, 0.9
DRAG_RATIO = np.arange(0.60, 0.905, 0.02)
DRAG = np.array(
    [
        11.14580, 12.87453, 14.98751, 17.59862, 20.86550, 25.01092, 30.35733, 37.38467,
        46.83132, 59.87967, 78.51925, 106.31670, 150.22684, 225.51931, 372.41035, 737.25652,
    ]
)  # fmt: skip


@dataclass(frozen=True)
class SizeProperties:
    """What a molecule's size alone says.

    ``diffusivity_um2_per_s`` is that in free solution: the tissue's tortuosity is not in it. ``void_fraction`` is the
    share of tissue volume that the molecule can enter.
    """

    hydrodynamic_radius_nm: float
    permeability_um_per_s: float
    diffusivity_um2_per_s: float
    void_fraction: float


def ligand_from_size(molar_mass_kDa: float) -> SizeProperties:
    """Radius, vessel permeability, free diffusivity and accessible volume of a globular molecule.

    Raises ``BadInput`` for a mass at or below 0, ``OutOfValidity`` for a molecule too large for the wider wall pores.
    Source: Schmidt & Wittrup, Mol Cancer Ther 2009;8:2861; the drag in narrow pores from Paine & Scherr, Biophys J
    1975;15:1087. The partition factor (1 - r/R)^2 acts once. Permeabilities in the literature differ by an order of
    magnitude (see the theory page): prefer a measured value.

    >>> round(ligand_from_size(150.0).hydrodynamic_radius_nm, 2)
    4.84
    """
    if not (is_number(molar_mass_kDa) and molar_mass_kDa > 0.0):
        raise BadInput(f"A molar mass must be above 0 kDa; got {molar_mass_kDa}.")
    radius = RADIUS_NM_PER_CUBE_ROOT_KDA * molar_mass_kDa**RADIUS_EXPONENT
    widest = WALL_PORES[-1][0]
    if radius > SERIES_LIMIT * widest:
        raise OutOfValidity(
            f"A molecule of {molar_mass_kDa:g} kDa (radius {radius:.0f} nm) is too large for pores of {widest:g} nm, "
            "the widest of the size law. Give its permeability, diffusivity and void fraction directly."
        )
    return ligand_from_radius(radius)


def ligand_from_radius(hydrodynamic_radius_nm: float) -> SizeProperties:
    """The same from a hydrodynamic radius: for carriers whose mass says nothing about their size, up to 300 nm.

    Above 13.8 nm only the wider spaces of the interstitium are open, above 4.5 nm only the wider pores of the wall.

    >>> carrier = ligand_from_radius(50.0)
    >>> round(carrier.void_fraction, 3), carrier.permeability_um_per_s < ligand_from_radius(5.0).permeability_um_per_s
    (0.045, True)
    """
    radius, widest = hydrodynamic_radius_nm, WALL_PORES[-1][0]
    if not (is_number(radius) and radius > 0.0):
        raise BadInput(f"A hydrodynamic radius must be above 0 nm; got {radius}.")
    if radius > SERIES_LIMIT * widest:
        raise OutOfValidity(
            f"A radius of {radius:g} nm is too large for pores of {widest:g} nm, the widest of the size law. Give "
            "permeability, diffusivity and void fraction directly."
        )
    free = DIFFUSIVITY_NM_CM2_PER_S / radius  # cm2/s
    permeability = sum(free * _hindrance(radius / pore) * _partition(radius / pore) * area for pore, area in WALL_PORES)
    void = INTERSTITIAL_FRACTION * sum(share * _partition(radius / pore) for pore, share in VOID_PORES)
    return SizeProperties(radius, permeability * 1e4, free * 1e8, void)


def matrix_hindrance(
    hydrodynamic_radius_nm: float, fibre_fraction: Array | float, fibre_radius_nm: float
) -> Array:
    """Diffusivity in a network of fibres over that without: exp(-sqrt(phi) (r + r_f)/r_f), a field where phi is one.

    ``fibre_fraction`` phi is the share of volume that fibres fill (0 to below 1); large molecules are slowed more. Form
    of Ogston, Preston & Wells, Proc R Soc Lond A 1973;333:297 (not read). Raises `BadInput`.

    >>> [round(float(matrix_hindrance(r, 0.03, 20.0)), 2) for r in (1.0, 5.0, 50.0)]
    [0.83, 0.81, 0.55]
    """
    share = real_array("fibre_fraction", fibre_fraction)
    if not bool((np.isfinite(share) & (share >= 0.0) & (share < 1.0)).all()):
        raise BadInput("fibre_fraction is a share of volume: at or above 0 and below 1 everywhere.")
    for name, value in (("hydrodynamic_radius_nm", hydrodynamic_radius_nm), ("fibre_radius_nm", fibre_radius_nm)):
        if not (is_number(value) and value > 0.0):
            raise BadInput(f"{name} must be above 0 nm; got {value}.")
    return np.asarray(np.exp(-np.sqrt(share) * (hydrodynamic_radius_nm + fibre_radius_nm) / fibre_radius_nm))


def mouse_plasma_clearance_per_h(hydrodynamic_radius_nm: float) -> float:
    """Rate at which a globular molecule leaves the plasma of a mouse: fast below the kidneys' filter, slow above.

    An antibody that FcRn returns to plasma stays longer than this law says. Source: Schmidt & Wittrup, Mol Cancer Ther
    2009;8:2861, the fit as it stands in a public implementation. Raises ``BadInput``.

    >>> [round(mouse_plasma_clearance_per_h(r), 2) for r in (0.9, 2.2, 4.8)]
    [4.89, 3.35, 0.19]
    """
    if not (is_number(hydrodynamic_radius_nm) and hydrodynamic_radius_nm > 0.0):
        raise BadInput(f"A hydrodynamic radius must be above 0 nm; got {hydrodynamic_radius_nm}.")
    return math.exp(-3.3 + 4.9 / (1.0 + math.exp((math.log(hydrodynamic_radius_nm) - 1.4) / 0.25)))


def _partition(ratio: float) -> float:
    """Share of a pore's cross-section that the centre of a sphere can reach."""
    return max(0.0, 1.0 - ratio) ** 2


def _hindrance(ratio: float) -> float:
    """Diffusivity in a pore over that in free solution, for a sphere of ``ratio`` times the pore's radius."""
    if ratio < SERIES_LIMIT:
        above = 1 - 2.105 * ratio + 2.0865 * ratio**3 - 1.7068 * ratio**5 + 0.72603 * ratio**6
        return above / (1 - 0.75857 * ratio**5)
    if ratio > TABLE_LIMIT:
        return 0.0
    return float(np.exp(-np.interp(ratio, DRAG_RATIO, np.log(DRAG))))
