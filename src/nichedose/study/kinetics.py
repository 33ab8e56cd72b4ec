"""One transport solution per section, labelled form and injected mass; every radionuclide of the form rides on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.body import PlasmaCurve
from nichedose.case import Patient as CasePatient
from nichedose.errors import NichedoseError
from nichedose.fields.grid import Array, BoolArray
from nichedose.library.schema import LabelledForm, TissueParameters
from nichedose.nuclide import half_life_h
from nichedose.study.hindrance import diffusivity_factor
from nichedose.study.whole_body import body_plasma, has_body
from nichedose.tissue import TissueMap
from nichedose.transport import (
    LigandKinetics,
    TissueTransport,
    TransportSolution,
    around_vessels,
    exchange_rate,
    exchange_rates,
    ligand_from_size,
    simulate,
    trapping_per_h,
)
from nichedose.values import Draw

__all__ = [
    "TRANSPORT_TOLERANCE", "FormRun", "gradients_around_vessels", "ligand_kinetics", "plasma_curve", "plasma_input",
    "solve_form", "tissue_and_ligand",
]

TRANSPORT_TOLERANCE = 1e-3
HALF_LIVES_FOLLOWED = 10.0  # leaves 0.1 % of the label undecayed; the ledger states it as "left"


@dataclass(frozen=True)
class FormRun:
    """Transport of one labelled form in one section, and the mass it was solved for.

    ``uptake_factor`` is measured over modelled uptake of the lesion, where a measurement was given;
    ``administration_factor`` what the whole body makes of an administration that is not the usual one.
    """

    solution: TransportSolution
    injected_nmol: float
    uptake_factor: float = 1.0
    administration_factor: float = 1.0

    @property
    def _per_MBq(self) -> float:
        return self.uptake_factor * self.administration_factor / self.injected_nmol

    def time_integrated_activity(self, radionuclide: str) -> Mapping[str, Array]:
        """MBq.h per L of tissue per MBq injected, by state."""
        integrals = self.solution.time_integral(radionuclide)
        return {state: integral * self._per_MBq for state, integral in integrals.items()}

    def activity_history(self, radionuclide: str) -> Array:
        """MBq per L of tissue per MBq injected, (nt, ny, nx), decay included."""
        s = self.solution
        total = s.free + s.bound + s.internalised
        decay = np.exp(-s.decay_per_h[radionuclide] * s.times_h)
        return np.asarray(total * (decay * self._per_MBq)[:, None, None])

    def percent_per_mL(self, time_h: float, mask: BoolArray) -> float:
        """Decay-corrected mean uptake over ``mask`` at ``time_h``, % of the injected per mL, as modelled."""
        s = self.solution
        mean = (s.free + s.bound + s.internalised)[:, mask].mean(axis=1)
        return float(np.interp(time_h, s.times_h, mean)) / self.injected_nmol * 0.1


def solve_form(
    tissue: TissueMap,
    form: LabelledForm,
    radionuclides: tuple[str, ...],
    parameters: TissueParameters,
    *,
    patient: CasePatient,
    mass_factor: float,
    draw: Draw,
    ligand_nmol: float | None = None,
    permeability_factor: float = 1.0,
    reference_matrix: Array | None = None,
    vessel_gradients: bool = False,
    tolerance: float = TRANSPORT_TOLERANCE,
) -> FormRun:
    """Solve the transport of ``form``; ``mass_factor`` scales the injected ligand (1 at the prescribed mass), which is
    ``ligand_nmol`` or, where that is None, as is usual with the form.

    ``permeability_factor`` is what partner drugs do to vessel walls. With ``reference_matrix`` (ny, nx), the matrix
    before any partner, dense matrix hinders diffusion. ``vessel_gradients``: below the voxel, for the label that lives
    longest. ``tolerance``: of `simulate`.
    """
    half_lives = {name: half_life_h(name) for name in radionuclides}
    slowest = math.log(2.0) / max(half_lives.values()) if vessel_gradients else None
    transport, ligand = tissue_and_ligand(
        tissue, form, parameters, draw, permeability_factor=permeability_factor, reference_matrix=reference_matrix,
        gradients_decay_per_h=slowest)  # fmt: skip
    usual = ligand_nmol or draw(f"form.{form.name}.injected_nmol", form.injected_nmol)
    injected_nmol = usual * mass_factor
    try:
        solution = simulate(
            transport,
            ligand,
            plasma_input(form, injected_nmol, radionuclides, patient, draw),
            end_h=HALF_LIVES_FOLLOWED * max(half_lives.values()),
            decay_per_h={name: math.log(2.0) / t for name, t in half_lives.items()},
            tolerance=tolerance,
        )
    except NichedoseError as error:
        raise type(error)(f"{form.name} in {tissue.sample}: {error}") from error
    return FormRun(solution, injected_nmol)


def tissue_and_ligand(
    tissue: TissueMap, form: LabelledForm, parameters: TissueParameters, draw: Draw, *,
    permeability_factor: float = 1.0, reference_matrix: Array | None = None, gradients_decay_per_h: float | None = None,
) -> tuple[TissueTransport, LigandKinetics]:
    """What transport is asked: the tissue as ``form`` meets it, and its rates. Options as in `solve_form`; gradients
    around vessels, where a decay constant is given, are those of that label."""
    ligand = ligand_kinetics(form, parameters, draw, permeability_factor)
    vessels = tissue.vessel_surface_per_cm
    mean_vessels = float(vessels[tissue.mask].mean())
    perfusion = draw("tissue.perfusion_mL_per_min_per_mL", parameters.perfusion_mL_per_min_per_mL)
    flow_per_h = perfusion * 60.0 * (vessels / mean_vessels if mean_vessels > 0.0 else np.zeros_like(vessels))
    sites = tissue.targets[form.target].total_nmol_per_L
    factor = None if reference_matrix is None else diffusivity_factor(
        tissue.matrix, reference_matrix, tissue.mask, form, parameters, draw)
    if gradients_decay_per_h is None:
        enter = exchange_rate(vessels, ligand.permeability_um_per_s, flow_per_h)
    else:
        radius = draw("tissue.vessel_radius_um", parameters.vessel_radius_um)
        diffusivity = ligand.diffusivity_um2_per_s * (1.0 if factor is None else factor)
        series = gradients_around_vessels(vessels, radius, sites, ligand, diffusivity, gradients_decay_per_h)
        enter, _ = exchange_rates(vessels, ligand.permeability_um_per_s, flow_per_h, series_per_h=series)
    transport = TissueTransport(
        grid=tissue.grid,
        mask=tissue.mask,
        target_nmol_per_L=sites,
        exchange_per_h=enter,
        diffusivity_factor=factor,
    )
    return transport, ligand


def gradients_around_vessels(
    vessels: Array, vessel_radius_um: float, sites: Array, ligand: LigandKinetics, diffusivity: Array | float,
    decay_per_h: float,
) -> Array:  # fmt: skip
    """Conductance behind the vessel walls, `around_vessels`, for a label in tissue with empty ``sites``."""
    loss = ligand.void_fraction * decay_per_h + trapping_per_h(
        ligand.association_L_per_nmol_per_h, ligand.dissociation_per_h, ligand.internalisation_per_h, sites, decay_per_h
    )
    return around_vessels(vessels, vessel_radius_um, ligand.void_fraction * diffusivity, loss)


def plasma_input(
    form: LabelledForm, injected_nmol: float, radionuclides: tuple[str, ...], patient: CasePatient, draw: Draw
) -> PlasmaCurve:
    """Free ligand in plasma after a bolus: of the whole body where the form has a set, else the published curve."""
    if has_body(form):
        return body_plasma(form, patient, injected_nmol, radionuclides, draw)[0]
    return plasma_curve(form, injected_nmol, patient.weight_kg, draw)


def plasma_curve(form: LabelledForm, injected_nmol: float, weight_kg: float, draw: Draw) -> PlasmaCurve:
    """Free ligand in plasma after a bolus of ``injected_nmol`` in a body of ``weight_kg``."""
    key = f"form.{form.name}"
    free = draw(f"{key}.plasma_free_fraction", form.plasma_free_fraction)
    dilution = form.plasma.reference_weight_kg / weight_kg
    amplitudes = [
        draw(f"{key}.plasma.fraction_per_L[{i}]", value) * injected_nmol * free * dilution
        for i, value in enumerate(form.plasma.fraction_per_L)
    ]
    rates = [
        math.log(2.0) / draw(f"{key}.plasma.half_life_h[{i}]", value) for i, value in enumerate(form.plasma.half_life_h)
    ]
    return PlasmaCurve(tuple(amplitudes), tuple(rates))


def ligand_kinetics(
    form: LabelledForm, parameters: TissueParameters, draw: Draw, permeability_factor: float
) -> LigandKinetics:
    key = f"form.{form.name}"
    size = ligand_from_size(draw(f"{key}.molar_mass_kDa", form.molar_mass_kDa))
    on_rate = draw(f"{key}.association_rate_L_per_nmol_per_h", form.association_rate_L_per_nmol_per_h)
    affinity = draw(f"{key}.dissociation_constant_nmol_per_L", form.dissociation_constant_nmol_per_L)
    void = size.void_fraction * draw("tissue.void_fraction_factor", parameters.void_fraction_factor)
    return LigandKinetics(
        association_L_per_nmol_per_h=on_rate,
        dissociation_per_h=on_rate * affinity,
        internalisation_per_h=draw(f"{key}.internalisation_per_h", form.internalisation_per_h),
        release_per_h=draw(f"{key}.release_per_h", form.release_per_h),
        diffusivity_um2_per_s=size.diffusivity_um2_per_s
        * draw("tissue.diffusivity_factor", parameters.diffusivity_factor),
        permeability_um_per_s=size.permeability_um_per_s
        * draw("tissue.permeability_factor", parameters.permeability_factor) * permeability_factor,
        void_fraction=min(void, 0.95),
    )
