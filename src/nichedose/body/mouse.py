"""The mouse: the same equations, another anatomy, and ligand parameters that may lie far from a patient's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

from nichedose.body.anatomy import L_PER_H_FROM_ML_PER_MIN, Anatomy
from nichedose.body.ligand import BodyLigand, body_ligand
from nichedose.body.patient import Tumour
from nichedose.errors import BadInput
from nichedose.library.body_schema import BodyKinetics, Physiology
from nichedose.library.mouse import MouseData, Widening
from nichedose.library.schema import LabelledForm
from nichedose.values import Draw, Value

__all__ = ["XENOGRAFT", "Mouse", "mouse_anatomy", "mouse_kinetics", "mouse_ligand", "xenograft"]

XENOGRAFT = "tumour"
WEIGHTS_G = (10.0, 60.0)
MOST_OF_FILTRATE = 0.9  # that tubular cells may keep


@dataclass(frozen=True)
class Mouse:
    """One animal, or the mean of a group. Raises `BadInput` for a weight outside life.

    >>> Mouse(weight_g=22.0).tumours
    ()
    """

    weight_g: float = 25.0
    tumours: tuple[Tumour, ...] = ()

    def __post_init__(self) -> None:
        low, high = WEIGHTS_G
        if not (math.isfinite(self.weight_g) and low <= self.weight_g <= high):
            raise BadInput(f"Mouse: weight_g must lie in {low:g} to {high:g}; got {self.weight_g:g}. It is in grams.")
        if sum(t.volume_mL for t in self.tumours) > 0.3 * self.weight_g:
            raise BadInput("Mouse: the tumours take more than a third of the body. Give their volumes in mL.")


def mouse_anatomy(mouse: Mouse, data: MouseData, human: Physiology, draw: Draw | None = None) -> Anatomy:
    """Organs and flows of ``mouse``. Permeabilities per g are those of the human set (assumed; the ligand's factor on
    them is fitted). Values of the mouse have keys that begin with 'mouse.', so that none is shared with a patient."""
    draw = draw if draw is not None else Draw()

    def take(name: str) -> float:
        value: Value = getattr(data, name)
        return draw(f"mouse.{name}", value)

    def organ(name: str, field: str) -> float:
        value: Value = getattr(data.organs[name], field)
        return draw(f"mouse.{name}.{field}", value)

    volumes = {o: organ(o, "body_share") * mouse.weight_g * 1e-3 for o in data.organs}
    factor = take("flow_factor")
    central = take("central_plasma_share") * mouse.weight_g * 1e-3
    in_organs = {o: organ(o, "plasma_fraction") * v for o, v in volumes.items()}
    flows = {o: factor * organ(o, "flow_mL_per_min_per_g") * v * 1e3 * L_PER_H_FROM_ML_PER_MIN
             for o, v in volumes.items()}
    permeability = {}
    for name, entry in data.organs.items():
        if entry.permeability_as is not None:
            as_human = human.organs[entry.permeability_as].permeability_mL_per_min_per_g
            assert as_human is not None
            per_g = draw(f"body.{entry.permeability_as}.permeability_mL_per_min_per_g", as_human)
            permeability[name] = per_g * volumes[name] * 1e3 * L_PER_H_FROM_ML_PER_MIN
    return Anatomy(
        plasma_L=central + sum(in_organs.values()),
        central_plasma_L=central,
        haematocrit=take("haematocrit"),
        gfr_L_per_h=take("gfr_mL_per_min_per_g") * mouse.weight_g * L_PER_H_FROM_ML_PER_MIN,
        volume_L=volumes,
        plasma_in_organ_L=in_organs,
        interstitial_L={o: organ(o, "interstitial_fraction") * volumes[o] for o, e in data.organs.items()
                        if e.interstitial_fraction is not None},
        flow_L_per_h=flows,
        permeability_L_per_h=permeability,
        portal=tuple(o for o, e in data.organs.items() if e.portal),
        metabolite_L=draw("body.metabolite_distribution_L_per_kg", human.metabolite_distribution_L_per_kg)
        * mouse.weight_g * 1e-3,
        voiding_per_h=take("voiding_per_h"),
        gut_transit_per_h=take("gut_transit_per_h"),
        liver_to_reference=volumes["liver"] / (human.organs["liver"].male_mass_g.central * 1e-3),
    )


def mouse_kinetics(kinetics: BodyKinetics, widening: Widening) -> BodyKinetics:
    """The patients' set as a prior for a mouse: the same middle, wider where species differ.

    Organ target densities, internalisation, release, permeability, retention, metabolism and biliary clearance; what a
    fit finds can be put into a patient under the same keys. Raises `BadInput` for antibodies.
    """
    _refuse_antibodies(kinetics)
    density, rate, stretch = (getattr(widening, n).central for n in ("target_density", "rate", "clearance"))
    organs = ("default", "kidney", *kinetics.target_nmol_per_L)

    def each(table: Mapping[str, Value]) -> dict[str, Value]:
        """Organs that share a patients' value get one of their own."""
        return {o: _spread(table.get(o, table["default"]), rate) for o in dict.fromkeys(organs)}

    return kinetics.model_copy(update={
        "target_nmol_per_L": {o: _spread(v, density) for o, v in kinetics.target_nmol_per_L.items()},
        "internalisation_per_h": each(kinetics.internalisation_per_h),
        "release_per_h": each(kinetics.release_per_h),
        "permeability_factor": _spread(kinetics.permeability_factor, rate),
        "metabolism_per_h": _raised(kinetics.metabolism_per_h, rate),
        "tubular_retention": _raised(kinetics.tubular_retention, rate, MOST_OF_FILTRATE),
        "hepatobiliary_mL_per_min": _stretched(kinetics.hepatobiliary_mL_per_min, stretch),
    })


def mouse_ligand(
    form: LabelledForm, kinetics: BodyKinetics, data: MouseData, human: Physiology, draw: Draw | None = None
) -> BodyLigand:
    """Numbers of ``form`` in a mouse; ``kinetics`` as `mouse_kinetics` gives it. Affinity is that of the form.

    What xenograft cells do with the ligand is the mouse's own. Raises `BadInput` for antibodies: FcRn of a mouse does
    not bind human antibodies as a patient's does, and no set describes it.
    """
    _refuse_antibodies(kinetics)
    draw = draw if draw is not None else Draw()
    plain = body_ligand(form, kinetics, human.antibody, draw)
    return dataclasses.replace(
        plain,
        tumour_internalisation_per_h=draw("mouse.tumour.internalisation_per_h", data.tumour.internalisation_per_h),
        tumour_release_per_h=draw("mouse.tumour.release_per_h", data.tumour.release_per_h),
    )


def _refuse_antibodies(kinetics: BodyKinetics) -> None:
    if kinetics.molecule == "antibody":
        raise BadInput(f"{kinetics.form}: there is no mouse set for antibodies, since FcRn recycling differs between "
                       "species.")


def xenograft(data: MouseData, draw: Draw, mass_g: float | None = None) -> Tumour:
    """A tumour as any experiment has it; ``mass_g`` None: not stated."""
    def take(name: str) -> float:
        value: Value = getattr(data.tumour, name)
        return draw(f"mouse.tumour.{name}", value)

    return Tumour(
        name=XENOGRAFT,
        volume_mL=mass_g if mass_g is not None else take("mass_g"),
        plasma_flow_mL_per_min_per_mL=take("plasma_flow_mL_per_min_per_mL"),
        permeability_mL_per_min_per_mL=take("permeability_mL_per_min_per_mL"),
        target_nmol_per_L=take("target_nmol_per_L"),
    )


def _spread(value: Value, geometric_sd: float) -> Value:
    """A log-normal distribution with the value's median, at least as wide as the value's own."""
    return Value(median=value.central, geometric_sd=max(geometric_sd, value.geometric_sd or 1.0), evidence="assumed",
                 note="The patients' value, widened for another species.")


def _raised(value: Value, factor: float, most: float = math.inf) -> Value:
    """A uniform distribution from 0 to ``factor`` times the largest value that the set allows."""
    high = value.high if value.high is not None else value.quantile(0.999)
    return Value(low=0.0, high=min(factor * high, most), evidence="assumed",
                 note="The patients' range, raised for another species.")


def _stretched(value: Value, factor: float) -> Value:
    low, high = value.quantile(0.001), value.quantile(0.999)
    return Value(low=low / factor, high=high * factor, log=True, evidence="assumed",
                 note="The patients' range, stretched for another species.")
