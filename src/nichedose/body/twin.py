"""The mouse twin: a biodistribution study fitted by the whole-body equations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from nichedose.body.biodistribution import Biodistribution, Uptake
from nichedose.body.fit import fit
from nichedose.body.model import BodyModel, body_model
from nichedose.body.mouse import XENOGRAFT, Mouse, mouse_anatomy, mouse_kinetics, mouse_ligand, xenograft
from nichedose.body.posterior import BodyFit
from nichedose.body.regimen import Injection, Regimen
from nichedose.library.body_schema import BodyKinetics, Physiology
from nichedose.library.mouse import MouseData
from nichedose.library.schema import LabelledForm
from nichedose.values import Draw

__all__ = ["Experiment", "MouseTwin", "Residual", "fit_mouse", "mouse_builder"]

INJECTED_MBQ = 1.0  # per cents refer to it, and nothing else does
LABEL = "label"


@dataclass(frozen=True)
class Experiment:
    """What was done: ligand given (labelled and not, nmol), mean weights, and the label's decay.

    ``tumour_mass_g`` None: not stated (drawn, wide). Errors without sd and of the model itself are assumed.
    """

    ligand_nmol: float
    decay_per_h: float
    weight_g: float = 25.0
    tumour_mass_g: float | None = None
    relative_error: float = 0.2
    model_sd: float = 0.2


@dataclass(frozen=True)
class Residual:
    """One point: %ID/g as measured and as fitted, both decay-corrected. ``standardised``: log(fitted/measured) over the
    standard deviation that measurement and model together were given."""

    organ: str
    time_h: float
    measured: float
    relative_error: float
    fitted: float
    standardised: float


@dataclass(frozen=True)
class MouseTwin:
    """The fitted mouse. ``fit`` holds parameters, intervals and predictions; ``left_out`` points at 0."""

    experiment: Experiment
    data: Biodistribution
    fit: BodyFit
    residuals: tuple[Residual, ...]
    left_out: int
    mass_g: dict[str, float]

    @property
    def misfit(self) -> float:
        """Root mean square of the standardised residuals: about 1 where the errors were stated rightly."""
        return math.sqrt(sum(r.standardised**2 for r in self.residuals) / len(self.residuals))


def mouse_builder(
    form: LabelledForm, kinetics: BodyKinetics, data: MouseData, human: Physiology, experiment: Experiment,
    *, bears_tumour: bool = True,
) -> Callable[[Draw], BodyModel]:
    """What `fit` asks for: the model of the experiment's mouse in a draw. ``kinetics`` is the patients' set."""
    prior = mouse_kinetics(kinetics, data.widening)

    def build(draw: Draw) -> BodyModel:
        tumours = (xenograft(data, draw, experiment.tumour_mass_g),) if bears_tumour else ()
        mouse = Mouse(experiment.weight_g, tumours)
        return body_model(mouse, mouse_anatomy(mouse, data, human, draw), mouse_ligand(form, prior, data, human, draw))

    return build


def fit_mouse(
    form: LabelledForm, kinetics: BodyKinetics, data: MouseData, human: Physiology, table: Biodistribution,
    experiment: Experiment,
) -> MouseTwin:
    """Fit the mouse to ``table``; the priors are the patients' set widened (`mouse_kinetics`) and the mouse's own.

    Raises `BadInput` for unknown organs, more activity than was injected and impossible numbers.

    >>> from nichedose.body import Uptake
    >>> from nichedose.library import load_library
    >>> from nichedose.library.bodies import load_bodies
    >>> from nichedose.library.mouse import load_mouse
    >>> bodies, form = load_bodies(), load_library().forms["PSMA-617"]
    >>> points = [Uptake("kidney", 1.0, 97.2), Uptake("kidney", 24.0, 0.58), Uptake("tumour", 24.0, 10.9)]
    >>> twin = fit_mouse(form, bodies.of_form("PSMA-617"), load_mouse(), bodies.physiology,
    ...                  Biodistribution(tuple(points), True), Experiment(ligand_nmol=0.1, decay_per_h=0.00434))
    >>> len(twin.residuals)
    3
    """
    build = mouse_builder(form, kinetics, data, human, experiment, bears_tumour=XENOGRAFT in table.organs)
    mass_g = {organ: v * 1e3 for organ, v in build(Draw()).volume_L.items()}
    table.refuse_impossible(mass_g, experiment.decay_per_h)
    series = table.measured(experiment.relative_error)
    found = fit(build, series, regimen=Regimen((Injection(experiment.ligand_nmol, INJECTED_MBQ),)),
                decay_per_h=experiment.decay_per_h, model_sd=experiment.model_sd)
    return MouseTwin(
        experiment=experiment,
        data=table,
        fit=found,
        residuals=tuple(_residual(p, table, experiment, float(z))
                        for p, z in zip(table.fitted_points, found.residuals, strict=True)),
        left_out=sum(p.percent_per_g == 0.0 for p in table.points),
        mass_g=mass_g,
    )


def _residual(point: Uptake, table: Biodistribution, experiment: Experiment, standardised: float) -> Residual:
    """Back from what `fit` made of a point to the fitted uptake."""
    value, error = table.corrected(point, experiment.decay_per_h), point.relative_error(experiment.relative_error)
    scale = math.sqrt(math.log1p(error**2 + experiment.model_sd**2))
    return Residual(point.organ, point.time_h, value, error, value * math.exp(scale * standardised), standardised)
