"""What may be chosen of a ligand and its label, and the labelled form that a choice makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array
from nichedose.library.schema import LabelledForm
from nichedose.transport import ligand_from_size, mouse_plasma_clearance_per_h
from nichedose.values import Draw, Value

__all__ = ["NAME", "PROPERTIES", "LigandDesign", "designed"]

NAME = "designed"
PROPERTIES = ("affinity_nmol_per_L", "molar_mass_kDa", "internalisation_per_h", "half_life_h", "ligand_mass_factor")
SIZE_EXPONENT = Value(
    low=0.7, high=1.3, evidence="assumed",
    note="Exponent on the ratio of a mouse's plasma clearances at two sizes (Schmidt and Wittrup 2009): 1 where man "
         "follows the mouse at every size, as allometry has it; the spread is not measured.")


@dataclass(frozen=True)
class LigandDesign:
    """What may be chosen of a ligand and its label; ``ligand_mass_factor`` multiplies the injected amount."""

    affinity_nmol_per_L: float
    molar_mass_kDa: float
    internalisation_per_h: float
    half_life_h: float
    ligand_mass_factor: float = 1.0

    @property
    def logs(self) -> Array:
        """Natural logarithms in the order of `PROPERTIES`."""
        return np.log([getattr(self, name) for name in PROPERTIES])

    @classmethod
    def of_logs(cls, logs: Array) -> LigandDesign:
        return cls(*(float(v) for v in np.exp(logs)))


def designed(form: LabelledForm, affinity: float, mass: float, internalisation: float, draw: Draw) -> LabelledForm:
    """``form`` with its binding and size replaced by exact numbers, and its plasma curve run faster or slower by size.

    Time is stretched by the ratio of the clearances of the two sizes, so that ``form`` at its own mass keeps the
    library's curve. Whole-body sets are found by a form's name, so none stands in for it.
    """
    def fixed(value: float) -> Value:
        return Value(value=value, evidence="definition", note="varied")

    own = draw(f"form.{form.name}.molar_mass_kDa", form.molar_mass_kDa)
    faster = (_clearance(mass) / _clearance(own)) ** draw("design.plasma_size_exponent", SIZE_EXPONENT)
    half_lives = tuple(value.times(1.0 / faster) for value in form.plasma.half_life_h)
    return form.model_copy(update={
        "name": NAME, "molar_mass_kDa": fixed(mass), "dissociation_constant_nmol_per_L": fixed(affinity),
        "internalisation_per_h": fixed(internalisation),
        "plasma": form.plasma.model_copy(update={"half_life_h": half_lives})})


def _clearance(molar_mass_kDa: float) -> float:
    return mouse_plasma_clearance_per_h(ligand_from_size(molar_mass_kDa).hydrodynamic_radius_nm)
