"""From a biodistribution in mice to a patient: the fitted mouse, and every way of scaling side by side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nichedose.body import (
    RULES,
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
from nichedose.findings import FindingChart, Findings, FindingTable, Part
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.library.mouse import load_mouse
from nichedose.library.schema import Agent, LabelledForm
from nichedose.nuclide import half_life_h
from nichedose.study.organ_doses import IN_PHANTOM
from nichedose.study.whole_body import reference_patient
from nichedose.values import Draw, Value, ValueUse

__all__ = ["HumanOrgan", "MouseReport", "agent_of", "mouse_report"]

Progress = Callable[[str, int, int], None]
PHANTOM = "adult_male"
CELLS = ("mouse.tumour.internalisation_per_h", "mouse.tumour.release_per_h")  # what a xenograft's human cells do
MECHANISTIC: Mapping[str, tuple[str, str]] = {
    "equations, organs as in the mouse": (
        "all that the mouse taught of the ligand, with a patient's organs, flows and filtration",
        "Where organs bear as much target per volume, and handle it at the same rates, in both species."),
    "equations, organs as in patients": (
        "affinity and what tumour cells do from the mouse; organs by the patients' set of this ligand",
        "Where that set describes the ligand; wide where it is assumed."),
}
ASSUMPTIONS = (
    "Organs of the mouse have the shares of body weight of one reference mouse; 1 g/mL.",
    "Ligand parameters of organs start from the patients' set, widened for another species (library/data/mouse).",
    "Errors of points without sd, and of the model itself, are assumed.",
    "Doses to a patient's organ count its own activity alone, in the stylised man, all progeny in place.",
    "Rules of scaling have no organ's biology in them; none is known to hold for every ligand.",
)


@dataclass(frozen=True)
class HumanOrgan:
    """One organ of a patient by one method: time-integrated activity over injected activity (h) with a 90 % interval,
    and self-dose. ``published`` is what the library holds of patients. ``reason`` where nothing can be given."""

    organ: str
    method: str
    median_h: float | None
    low_h: float | None
    high_h: float | None
    Gy_per_GBq: float | None
    published_Gy_per_GBq: float | None
    tail_share: float | None
    reason: str


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
        answer=_answer(agent, twin, human),
        parts=(_fit_part(twin), _parameter_part(twin), _human_part(human), _method_part()),
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
            else r.median_h * 1e3 * DECAYS_PER_MBQ_H * s[r.organ])
        for r in sorted(rows, key=lambda r: order.index(r.organ)))


def _answer(agent: Agent, twin: MouseTwin, human: tuple[HumanOrgan, ...]) -> str:
    text = (f"{len(twin.residuals)} points fitted; root mean square of the residuals {twin.misfit:.2g} of the errors "
            "stated.")
    kidney = [r for r in human if r.organ == "kidney" and r.Gy_per_GBq is not None]
    if not kidney:
        return text
    doses = [r.Gy_per_GBq for r in kidney if r.Gy_per_GBq is not None]
    stated = kidney[0].published_Gy_per_GBq
    beside = "" if stated is None else f" Published in patients: {stated:.2g}."
    return f"{text} Kidney of a patient by {len(doses)} methods: {min(doses):.2g} to {max(doses):.2g} Gy/GBq.{beside}"


def _fit_part(twin: MouseTwin) -> Part:
    table = FindingTable(
        head=("Organ", "Time, h", "Measured, %ID/g", "Relative error", "Fitted, %ID/g", "Residual, sd"),
        rows=tuple((r.organ, r.time_h, r.measured, r.relative_error, r.fitted, r.standardised) for r in twin.residuals),
        title="Residuals",
        note="Decay-corrected. A residual is log(fitted/measured) over the sd of measurement and model together.")
    text = [f"Root mean square of the residuals: {twin.misfit:.2f}. Well above 1: the model cannot do what the mice "
            "did, or the errors were stated too small: parameters then mean less than their intervals say."]
    if twin.left_out:
        text.append(f"{twin.left_out} point(s) at 0 were left out: below what the table resolves.")
    times = tuple(sorted({r.time_h for r in twin.residuals}))
    at = {(r.organ, r.time_h): r.standardised for r in twin.residuals}
    whole = [o for o in dict.fromkeys(r.organ for r in twin.residuals) if all((o, t) in at for t in times)]
    chart = FindingChart(
        title="Residuals over time", summary="Residuals of organs with a point at every time, in standard deviations.",
        x_label="hours after injection", y_label="log(fitted/measured), sd", x=times, log_x=True,
        lines={o: tuple(at[o, t] for t in times) for o in whole})
    return Part("The fitted mouse", tuple(text), (table,), (chart,) if whole else ())


def _parameter_part(twin: MouseTwin) -> Part:
    fit = twin.fit
    learnt = sorted(fit.parameters, key=fit.narrowing)
    rows = tuple((p, fit.value(p), *fit.interval(p), fit.narrowing(p)) for p in learnt if fit.narrowing(p) < 0.9)
    table = FindingTable(
        head=("Parameter", "Most probable", "5 %", "95 %", "Posterior / prior"), rows=rows,
        title="What the mice told", note=f"{len(learnt) - len(rows)} further parameters stay as their priors had them.")
    return Part("Parameters", (), (table,))


def _human_part(human: tuple[HumanOrgan, ...]) -> Part:
    if not human:
        return Part("A patient", ("No organ of the table is one of the patient's; nothing was predicted.",))
    rows = tuple((r.organ, r.method, r.median_h, r.low_h, r.high_h, r.Gy_per_GBq,
                  "none" if r.published_Gy_per_GBq is None else r.published_Gy_per_GBq,
                  "" if r.tail_share is None else r.tail_share, r.reason) for r in human)
    return Part("A patient", (), (FindingTable(
        head=("Organ", "Method", "Activity, MBq.h/MBq", "5 %", "95 %", "Self-dose, Gy/GBq", "In patients, Gy/GBq",
              "After last point", "Why not"), rows=rows, title="Every method"),))


def _method_part() -> Part:
    rules = tuple((r.name, r.what, r.source, r.holds) for r in RULES)
    equations = tuple((name, what, "docs/theory/mouse.md", holds)
                      for name, (what, holds) in MECHANISTIC.items())
    head = ("Method", "What it does", "Source", "Where it holds")
    return Part("Methods", (), (FindingTable(head, rules + equations),))


def _numbers(twin: MouseTwin, human: tuple[HumanOrgan, ...]) -> dict[str, Any]:
    return {
        "misfit": twin.misfit,
        "left_out": twin.left_out,
        "residuals": [vars(r) for r in twin.residuals],
        "parameters": {p: {"value": twin.fit.value(p), "interval": list(twin.fit.interval(p)),
                           "narrowing": twin.fit.narrowing(p)} for p in twin.fit.parameters},
        "human": [vars(r) for r in human],
    }
