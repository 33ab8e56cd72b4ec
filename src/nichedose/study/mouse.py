"""From a biodistribution in mice to a patient: the fitted mouse, and every way of scaling side by side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nichedose.body import (
    Biodistribution,
    BodyLigand,
    BodyModel,
    Experiment,
    Injection,
    MouseTwin,
    Regimen,
    anatomy,
    body_ligand,
    body_model,
    fit_mouse,
    mouse_kinetics,
    scale_organs,
)
from nichedose.body.mouse import XENOGRAFT
from nichedose.dose import organ_s_values
from nichedose.dose.units import DECAYS_PER_MBQ_H
from nichedose.errors import BadInput, near_miss
from nichedose.findings import Findings
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.library.mouse import load_mouse
from nichedose.library.schema import Agent, LabelledForm
from nichedose.nuclide import half_life_h
from nichedose.study.mouse_findings import MECHANISTIC, HumanOrgan, mouse_answer, mouse_parts
from nichedose.study.organ_doses import IN_PHANTOM
from nichedose.study.whole_body import reference_patient
from nichedose.values import Draw, Value, ValueUse

__all__ = ["HumanOrgan", "MouseReport", "agent_of", "mouse_report"]

Progress = Callable[[str, int, int], None]
PHANTOM = "adult_male"
CELLS = ("mouse.tumour.internalisation_per_h", "mouse.tumour.release_per_h")  # what a xenograft's human cells do
ASSUMPTIONS = (
    "Organs of the mouse have the shares of body weight of one reference mouse; 1 g/mL.",
    "Ligand parameters of organs start from the patients' set, widened for another species (library/data/mouse).",
    "Errors of points without sd, and of the model itself, are assumed.",
    "Doses to a patient's organ count its own activity alone, in the stylised man, all progeny in place.",
    "Rules of scaling have no organ's biology in them; none is known to hold for every ligand.",
)


@dataclass(frozen=True)
class MouseReport:
    """Findings for people; the twin and the human table for programs."""

    findings: Findings
    twin: MouseTwin
    human: tuple[HumanOrgan, ...]


def agent_of(name: str) -> Agent:
    """An agent of the library by name; raises `BadInput` that suggests one."""
    agents = load_library().agents
    if name not in agents:
        raise BadInput(f"No agent '{name}' in the library.{near_miss(name, agents)}")
    return agents[name]


def mouse_report(
    agent: Agent, table: Biodistribution, experiment: Experiment, *, draws: int = 128, seed: int = 0,
    progress: Progress = lambda *_: None,
) -> MouseReport:
    """Fit the mouse, then predict a patient's organs by every rule and by the equations.

    ``experiment.decay_per_h`` is that of the label in the mice; the patient gets ``agent``. Raises `BadInput`.
    """
    library, bodies = load_library(), load_bodies()
    form = library.forms[agent.form]
    progress("fit", 0, 1)
    twin = fit_mouse(form, bodies.of_form(form.name), load_mouse(), bodies.physiology, table, experiment)
    progress("fit", 1, 1)
    decay = math.log(2.0) / half_life_h(agent.radionuclide)
    organs = [o for o in table.organs if o in bodies.physiology.organs]
    found = _scaled(twin, decay, seed) if organs else []
    for done, method in enumerate(MECHANISTIC if organs else ()):
        progress("patient", done, len(MECHANISTIC))
        found += _mechanistic(method, twin, form, agent, decay, organs, draws, seed)
    human = _with_doses(found, form, agent.radionuclide)
    used = dict(zip(twin.fit.parameters, twin.fit.priors, strict=True))
    findings = Findings(
        title=f"{agent.name}: from mouse to patient",
        answer=mouse_answer(twin, human),
        parts=mouse_parts(twin, human),
        values_used=tuple(ValueUse(key, used[key]) for key in sorted(used)),
        sources={**library.sources, **bodies.sources, **load_mouse().sources},
        assumptions=ASSUMPTIONS,
        numbers=_numbers(twin, human),
    )
    return MouseReport(findings, twin, human)


def _scaled(twin: MouseTwin, decay: float, seed: int) -> list[HumanOrgan]:
    """By the rules; the patient is the stylised man."""
    human = load_bodies().physiology
    masses = {o: e.male_mass_g.central for o, e in human.organs.items()}
    rows = scale_organs(
        _as_corrected(twin), twin.mass_g, masses, mouse_weight_g=twin.experiment.weight_g,
        human_weight_kg=human.male_weight_kg.central, decay_per_h=decay,
        relative_error=twin.experiment.relative_error, seed=seed)
    return [HumanOrgan(r.organ, r.rule, r.median_h, r.low_h, r.high_h, None, None, r.tail_share, r.reason)
            for r in rows]


def _as_corrected(twin: MouseTwin) -> Biodistribution:
    """The table corrected for the decay of the label in the mice, so that another label may follow the same curve."""
    if twin.data.decay_corrected:
        return twin.data
    decay = twin.experiment.decay_per_h
    points = tuple(
        dataclasses.replace(p, percent_per_g=twin.data.corrected(p, decay),
                            sd=None if p.sd is None else p.sd * math.exp(decay * p.time_h))
        for p in twin.data.points)
    return Biodistribution(points, True)


def _mechanistic(
    method: str, twin: MouseTwin, form: LabelledForm, agent: Agent, decay: float, organs: list[str], draws: int,
    seed: int,
) -> list[HumanOrgan]:
    activity = agent.activity_MBq.central
    regimen = Regimen((Injection(form.injected_nmol.central, activity),))
    found = twin.fit.predict(organs, regimen=regimen, decay_per_h=decay, draws=draws, seed=seed,
                             build=_patient(form, method.endswith("mouse"), XENOGRAFT in twin.data.organs))
    return [HumanOrgan(o, method, p.median_MBq_h / activity, p.low_MBq_h / activity, p.high_MBq_h / activity, None,
                       None, None, "") for o, p in found.items()]


def _of_the_ligand(name: str, form: LabelledForm) -> bool:
    """Whether a parameter is a property of the molecule, or of the human tumour cells that the mouse bore."""
    own = f"form.{form.name}."
    return name in CELLS or (name.startswith(own) and not name.startswith(f"{own}body."))


@dataclass(frozen=True)
class _OwnOrgans(Draw):
    """Asks under names of its own for all that is not the molecule's, so that nothing fitted in mice answers."""

    inner: Draw = field(default_factory=Draw)
    form: LabelledForm | None = None

    def __call__(self, key: str, value: Value) -> float:
        assert self.form is not None
        return self.inner(key if _of_the_ligand(key, self.form) else f"patient: {key}", value)


def _patient(form: LabelledForm, as_mouse: bool, with_cells: bool) -> Callable[[Draw], BodyModel]:
    bodies, data = load_bodies(), load_mouse()
    own = bodies.of_form(form.name)
    kinetics = mouse_kinetics(own, data.widening) if as_mouse else own

    def build(draw: Draw) -> BodyModel:
        if not as_mouse:
            draw = _OwnOrgans(inner=draw, form=form)
        who = reference_patient(form, draw)
        ligand: BodyLigand = body_ligand(form, kinetics, bodies.physiology.antibody, draw)
        if with_cells:
            ligand = dataclasses.replace(
                ligand,
                tumour_internalisation_per_h=draw(CELLS[0], data.tumour.internalisation_per_h),
                tumour_release_per_h=draw(CELLS[1], data.tumour.release_per_h))
        return body_model(who, anatomy(who, bodies.physiology, draw), ligand)

    return build


def _with_doses(rows: list[HumanOrgan], form: LabelledForm, radionuclide: str) -> tuple[HumanOrgan, ...]:
    """Self-dose by S values of the stylised man, and published doses, in the order of organs."""
    names = {o: IN_PHANTOM[o] for o in dict.fromkeys(r.organ for r in rows) if o in IN_PHANTOM}
    s = {organ: sum(organ_s_values(radionuclide, PHANTOM, None, "equilibrium", targets=[name],
                                   sources=[name])[name, name].values()) for organ, name in names.items()}
    published = {c.organ: c.Gy_per_GBq.central for c in form.dose_coefficients
                 if c.radionuclide == radionuclide and c.quantity == "absorbed_dose"}
    order = list(dict.fromkeys(r.organ for r in rows))
    return tuple(
        dataclasses.replace(
            r, published_Gy_per_GBq=published.get(r.organ),
            Gy_per_GBq=None if r.median_h is None or r.organ not in s
            else r.median_h * 1e3 * DECAYS_PER_MBQ_H * s[r.organ],
            reason=r.reason or ("" if r.organ in s else "no dose: the stylised man has no such organ"))
        for r in sorted(rows, key=lambda r: order.index(r.organ)))


def _numbers(twin: MouseTwin, human: tuple[HumanOrgan, ...]) -> dict[str, Any]:
    return {
        "misfit": twin.misfit,
        "left_out": twin.left_out,
        "residuals": [vars(r) for r in twin.residuals],
        "parameters": {p: {"value": twin.fit.value(p), "interval": list(twin.fit.interval(p)),
                           "narrowing": twin.fit.narrowing(p)} for p in twin.fit.parameters},
        "human": [vars(r) for r in human],
    }
