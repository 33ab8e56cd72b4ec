"""The target outside the tumour: organs that bear it, comorbidities that raise it, and what no limit watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nichedose.case import Patient as CasePatient
from nichedose.library.schema import OrganLimit
from nichedose.study.setup import ResolvedCandidate
from nichedose.study.whole_body import ALL_LESIONS, has_body, organ_exposures, self_dose_Gy_per_MBq_h

__all__ = ["MOSTLY_ON_TARGET", "NOTED_RISE", "NOTED_SHARE", "OffTumour", "off_tumour"]

# Own rules for what deserves a reader's eye; nothing else depends on them.
MOSTLY_ON_TARGET = 0.5  # of an organ's decays, by label that is bound or inside cells
NOTED_SHARE = 0.1  # of the lesions' mean dose, in an organ that no limit watches
NOTED_RISE = 1.5  # by a comorbidity or a measured target, in any organ


@dataclass(frozen=True)
class OffTumour:
    """One organ that takes the ligand up by its target, after one administration.

    ``rise`` is against the same patient without comorbidities and measured organ targets; ``watched`` whether a limit
    of the library applies to the organ's published dose.
    """

    organ: str
    target: str
    Gy_per_GBq: float
    share_of_lesions: float
    rise: float
    watched: bool

    @property
    def text(self) -> str:
        """A sentence for the reader."""
        rise = f", {self.rise:.1f} times that without the stated comorbidities and organ targets" if (
            abs(self.rise - 1.0) > 0.05) else ""
        limit = ("its limit counts it" if self.watched else
                 "no limit watches it: it counts for nothing at equal toxicity")
        dose = float(f"{self.Gy_per_GBq:.2g}")  # two digits, without a power of ten where it can be had
        return (f"On-target, off-tumour: {self.target} in {self.organ}: {dose:g} Gy/GBq, "
                f"{100.0 * self.share_of_lesions:.0f} % of what the lesions get{rise}; {limit}.")


def off_tumour(
    candidate: ResolvedCandidate, patient: CasePatient, limits: Sequence[OrganLimit]
) -> tuple[OffTumour, ...]:
    """Organs of ``patient`` that a reader must know of, strongest first; empty where the form has no whole-body set.

    An organ is named when most of its decays are on target and either no limit watches it and it gets a noted share of
    the lesions' dose, or a comorbidity or measured organ target raises its dose notably. At the medians, by self-dose.
    """
    form, nuclide = candidate.form, candidate.radionuclide
    if not has_body(form):
        return ()
    nmol = form.injected_nmol.central
    found = organ_exposures(form, patient, nuclide, nmol, candidate.administration)
    plain = patient.model_copy(update={"comorbidities": (), "organ_targets": {}})
    before = found if plain == patient else organ_exposures(form, plain, nuclide, nmol, candidate.administration)
    watched = {limit.organ for limit in limits} & {c.organ for c in form.dose_coefficients if c.radionuclide == nuclide}

    def dose(organ: str) -> float:
        volume_mL = found[organ].volume_L * 1e3
        size = float(f"{volume_mL:.2g}")  # S x mass hardly changes with size
        return found[organ].residence_h * 1e3 * self_dose_Gy_per_MBq_h(nuclide, size) * size / volume_mL

    lesions = dose(ALL_LESIONS)
    named = []
    for organ, exposure in found.items():
        if organ == ALL_LESIONS or exposure.on_target < MOSTLY_ON_TARGET:
            continue
        rise = exposure.residence_h / before[organ].residence_h
        share = dose(organ) / lesions if lesions > 0.0 else float("inf")
        if rise >= NOTED_RISE or (organ not in watched and share >= NOTED_SHARE):
            named.append(OffTumour(organ, form.target, dose(organ), share, rise, organ in watched))
    return tuple(sorted(named, key=lambda o: -o.Gy_per_GBq))
