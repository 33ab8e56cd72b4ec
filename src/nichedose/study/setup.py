"""From a case to resolved candidates: names looked up, regimens filled in, what cannot be evaluated said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nichedose.body.score_draw import ScoreDraw
from nichedose.case import Administration, Candidate, CandidatePartner, Case
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.library import Library, find_agent
from nichedose.library.partners import Partner, find_partner
from nichedose.library.schema import Agent, LabelledForm, Radiobiology
from nichedose.nuclide import canonical_name
from nichedose.study.administration import USUAL, check_administration
from nichedose.study.organ_repair import organ_half_lives
from nichedose.study.whole_body import check_organs, form_in_patient, has_body, organ_ratios
from nichedose.tissue import SpotModel
from nichedose.values import Draw

__all__ = [
    "LesionUptake", "MeasuredBody", "ResolvedCandidate", "ResolvedPartner", "Setup", "resolve", "resolve_partner",
]

REFERENCE_WEIGHT_KG = 70.0  # for which organ doses per activity are published


@dataclass(frozen=True)
class ResolvedPartner:
    """A partner drug; ``lead_h`` is how long before the first administration it starts, negative for after."""

    partner: Partner
    lead_h: float
    stated: tuple[str, ...]


@dataclass(frozen=True)
class ResolvedCandidate:
    """One candidate with everything looked up; ``activity_MBq`` per administration as prescribed."""

    name: str
    agent: Agent
    form: LabelledForm
    radionuclide: str
    activity_MBq: float
    cycles: int
    interval_h: float
    emits_alpha: bool
    partners: tuple[ResolvedPartner, ...] = ()
    administration: Administration = USUAL

    @property
    def ligand_nmol(self) -> float:
        """Ligand of one administration, labelled and not: as the case says, else as is usual with the form."""
        return self.administration.ligand or self.form.injected_nmol.central


@dataclass(frozen=True)
class LesionUptake:
    """Measured mean uptake of the lesion, decay-corrected, % of the injected per mL at ``times_h``, and what all points
    together leave open (relative standard deviation)."""

    times_h: tuple[float, ...]
    percent_per_mL: tuple[float, ...]
    relative_sd: float


@dataclass(frozen=True)
class MeasuredBody:
    """The body fitted to measured activity, as draws need it.

    ``names`` of the fitted parameters, with their ``most_probable`` scores (p,) and ``rows`` (n, p) of the posterior;
    ``forms`` by candidate, with this patient's organ doses; ``falling`` names the candidates whose doses hold the
    measured fall of the target over cycles; ``uptake`` of the lesion by form.
    """

    names: tuple[str, ...]
    most_probable: Array
    rows: Array
    forms: Mapping[str, LabelledForm]
    falling: frozenset[str]
    uptake: Mapping[str, LesionUptake]


@dataclass(frozen=True)
class Setup:
    """All that a run needs and that does not change between draws; it travels to worker processes."""

    case: Case
    library: Library
    radiobiology: Radiobiology
    candidates: tuple[ResolvedCandidate, ...]
    sections: tuple[SpotModel, ...]
    measured: MeasuredBody | None = None

    def draw(self, index: int | None = None) -> Draw:
        """One joint draw, or the central one; what was fitted to measurements comes from its posterior."""
        seed = self.case.sampling.seed
        if self.measured is None:
            return Draw(seed=seed, index=index)
        rows = self.measured.rows
        row = self.measured.most_probable if index is None else rows[index % len(rows)]
        return ScoreDraw(seed=seed, index=index, scores=dict(zip(self.measured.names, row.tolist(), strict=True)))

    def reason_not_evaluable(self, candidate: ResolvedCandidate) -> str | None:
        """Why the candidate cannot be evaluated in these sections, or None."""
        for section in self.sections:
            reason = section.unknown_targets.get(candidate.form.target)
            if reason is not None:
                return f"{candidate.form.target} is unknown in {section.sample}: {reason}"
        return None

    @property
    def evaluable(self) -> tuple[ResolvedCandidate, ...]:
        return tuple(c for c in self.candidates if self.reason_not_evaluable(c) is None)

    @property
    def clonogens_in_lesion(self) -> float | None:
        """Clonogens in the whole lesion, only when the case states their density."""
        lesion = self.case.lesion
        if lesion.clonogen_density is None:
            return None
        return lesion.clonogen_density * math.pi / 6.0 * lesion.diameter**3

    @property
    def prior_doses(self) -> dict[tuple[str, str], float]:
        """Gy that each organ had before, by (organ, quantity)."""
        prior: dict[tuple[str, str], float] = {}
        for p in self.case.prior_doses:
            prior[p.organ, p.quantity] = prior.get((p.organ, p.quantity), 0.0) + p.dose
        return prior

    def form_in_patient(self, candidate: ResolvedCandidate) -> LabelledForm:
        """The candidate's form with its published organ doses scaled to this patient.

        By whole-body kinetics where the form has a set; else, and for organs that the set does not hold, they fall
        with body weight. Measured activity of this form tells its doses itself.
        """
        if self.measured is not None and candidate.name in self.measured.forms:
            return self.measured.forms[candidate.name]
        by_weight = REFERENCE_WEIGHT_KG / self.case.patient.weight_kg
        organs = {c.organ for c in candidate.form.dose_coefficients}
        ratios, half_lives = dict.fromkeys(organs, by_weight), {}
        if has_body(candidate.form):
            nmol = candidate.form.injected_nmol.central
            found = organ_ratios(
                candidate.form, self.case.patient, candidate.radionuclide, nmol, candidate.administration)
            ratios |= {o: r for o, r in found.items() if o in organs}
            half_lives = organ_half_lives(
                candidate.form, self.case.patient, candidate.radionuclide, self.library.limits,
                candidate.administration)
        return form_in_patient(candidate.form, ratios, candidate.radionuclide, half_lives)

    def forms(self) -> tuple[str, ...]:
        """Labelled forms of the evaluable candidates, in order of first appearance."""
        return tuple(dict.fromkeys(c.form.name for c in self.evaluable))


def resolve(case: Case, library: Library, sections: Sequence[SpotModel]) -> Setup:
    """Look everything up; raises `BadInput` with near misses for unknown names."""
    library = library.with_entries(forms=case.forms, agents=case.agents)
    if case.tumour not in library.radiobiology:
        known = near_miss(case.tumour, library.radiobiology)
        raise BadInput(f"'tumour': no radiobiology entry '{case.tumour}'.{known}")
    unknown = sorted(set(case.anchors) - set(library.targets))
    if unknown:
        raise BadInput(f"'anchors.{unknown[0]}': not a target.{near_miss(unknown[0], library.targets)}")
    organs = {limit.organ for limit in library.limits}
    for prior in case.prior_doses:
        if prior.organ not in organs:
            known = near_miss(prior.organ, organs)
            raise BadInput(f"'prior_doses': no limit is known for organ '{prior.organ}'.{known}")
    for trait in ("dna_repair", "proliferation"):
        lacking = [s.sample for s in sections if trait not in s.traits]
        if getattr(case.effect, trait) and lacking:
            raise BadInput(f"'effect.{trait}': no gene of its score was measured in {lacking[0]}; leave it out.")
    candidates = tuple(_resolve_candidate(c, library) for c in case.candidates)
    for partner in (p for c in case.combinations for p in c.partners):
        resolve_partner(partner, library)
    check_organs([c.form for c in candidates], case.patient)
    names = [c.name for c in candidates]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"'candidates': {twice[0]} is named twice, perhaps once by another of its names; give each its "
                       "own label, or drop one.")
    return Setup(case, library, library.radiobiology[case.tumour], candidates, tuple(sections))


def _resolve_candidate(candidate: Candidate, library: Library) -> ResolvedCandidate:
    agent = find_agent(library, candidate.agent)
    form = library.forms[agent.form]
    name = candidate.label or agent.name
    radionuclide = canonical_name(agent.radionuclide)
    activity_MBq = candidate.activity or agent.activity_MBq.central
    cycles, interval_h = candidate.cycles or agent.cycles, candidate.interval or agent.interval_h
    check_administration(form, candidate.administration, name, radionuclide=radionuclide, activity_MBq=activity_MBq,
                         cycles=cycles, interval_h=interval_h)
    return ResolvedCandidate(
        name=name,
        agent=agent,
        form=form,
        radionuclide=radionuclide,
        activity_MBq=activity_MBq,
        cycles=cycles,
        interval_h=interval_h,
        emits_alpha=library.radionuclides[radionuclide].limits == "alpha",
        partners=tuple(resolve_partner(p, library) for p in candidate.partners),
        administration=candidate.administration,
    )


def resolve_partner(given: CandidatePartner, library: Library) -> ResolvedPartner:
    """A partner looked up; raises `BadInput` for an unknown drug, or for something stated that it does not ask for."""
    partner = find_partner(library, given.name)
    strangers = sorted(set(given.stated) - ({partner.needs_stated} if partner.needs_stated else set()))
    if strangers:
        wanted = f"'{partner.needs_stated}'" if partner.needs_stated else "nothing stated"
        raise BadInput(f"'candidates.partners': {partner.name} asks for {wanted}, not '{strangers[0]}'.")
    return ResolvedPartner(partner, given.lead - given.delay, given.stated)
