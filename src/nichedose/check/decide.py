"""Tolerated activity, ranking and sensitivity against closed forms."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm
from scipy.stats import t as student_t

from nichedose.check.row import CheckRow
from nichedose.decide import (
    deciding_inputs,
    max_tolerated_activity,
    noise_floor,
    probability_interval,
    rank,
    solve_activity,
)
from nichedose.library.schema import DoseCoefficient, LabelledForm, OrganLimit, PlasmaKinetics
from nichedose.values import Draw, Value

__all__ = ["rows"]

_DRAWS = 4096


def rows() -> list[CheckRow]:
    """All comparisons of the decide room."""
    return [*_tolerance(), *_saturation(), *_ranking(), *_inputs()]


def _tolerance() -> list[CheckRow]:
    """Kidney: 0.43 Gy/GBq, six cycles, BED limit 40 Gy; the quadratic against a root-finder on the forward formula."""
    def course_bed(activity_GBq: float) -> float:
        dose = 0.43 * activity_GBq
        return 6.0 * dose * (1.0 + 2.8 / 42.8 * dose / 2.5)

    by_search = float(brentq(lambda a: course_bed(a) - 40.0, 1.0, 100.0, xtol=1e-12, rtol=1e-14))
    limit = OrganLimit(
        organ="kidney", quantity="bed", Gy=_fixed(40.0), applies_to="beta", alpha_beta_Gy=_fixed(2.5),
        repair_half_time_h=_fixed(2.8), effective_half_life_h=_fixed(40.0), origin="for this check",
    )
    allowed = max_tolerated_activity(_form(), "177Lu", [limit], 6, {}, Draw(), emits_alpha=False)
    return [CheckRow(
        id="decide.tolerated-activity.kidney-BED", kind="analytic", unit="MBq", tolerance=1e-10,
        source="the BED formula solved by bracketing", reference=1e3 * by_search,
        ours=float("nan") if allowed.activity_MBq is None else allowed.activity_MBq,
    )]


def _fixed(value: float) -> Value:
    return Value(value=value, evidence="assumed", note="for this check")


def _form() -> LabelledForm:
    one = _fixed(1.0)
    coefficient = DoseCoefficient(
        organ="kidney", radionuclide="177Lu", quantity="absorbed_dose", Gy_per_GBq=_fixed(0.43))
    plasma = PlasmaKinetics(tracer="itself", fraction_per_L=(one,), half_life_h=(one,), reference_weight_kg=70.0,
                            entry="plasma")
    return LabelledForm(
        name="check", ligand="check", target="check", chelator="DOTA", radionuclides=("177Lu",), residualising=True,
        molar_mass_kDa=one, dissociation_constant_nmol_per_L=one, association_rate_L_per_nmol_per_h=one,
        internalisation_per_h=one, release_per_h=one, plasma_free_fraction=one, plasma=plasma, injected_nmol=one,
        dose_limiting_organs=("kidney",), dose_coefficients=(coefficient,),
    )


def _saturation() -> list[CheckRow]:
    found = solve_activity(10.0, lambda a: 30.0 * a / (a + 4000.0), 500.0, relative_tolerance=1e-9)
    return [CheckRow(id="decide.activity.saturating-dose", kind="analytic", unit="MBq", tolerance=1e-8, ours=found,
                     source="30 Gy A/(A + 4000 MBq) = 10 Gy by hand", reference=2000.0)]


def _ranking() -> list[CheckRow]:
    """Two independent normal objectives, half a standard deviation apart; four standard errors are allowed."""
    rng = np.random.default_rng(1)
    ranking = rank({"a": rng.normal(0.5, 1.0, _DRAWS), "b": rng.normal(0.0, 1.0, _DRAWS)})
    winner = ranking["a"]
    p = float(ndtr(0.5 / np.sqrt(2.0)))
    scale = np.sqrt(2.0)  # regret of a is the mean of max(b - a, 0), b - a normal with mean -0.5 and this deviation
    regret = float(scale * norm.pdf(0.5 / scale) - 0.5 * norm.cdf(-0.5 / scale))
    error = float(np.sqrt(p * (1.0 - p) / _DRAWS))
    return [
        CheckRow(id="decide.probability-best", kind="analytic", source="Phi(difference/sqrt 2)", absolute=True,
                 ours=winner.probability_best or 0.0, reference=p, tolerance=4.0 * error),
        CheckRow(id="decide.probability-best.standard-error", kind="analytic", source="sqrt(p (1 - p)/n)",
                 ours=winner.standard_error or 0.0, reference=error, tolerance=0.02),
        CheckRow(id="decide.expected-regret", kind="analytic", source="mean of the positive part of a normal variable",
                 absolute=True, ours=winner.expected_regret or 0.0, reference=regret,
                 tolerance=4.0 * float(scale / np.sqrt(_DRAWS))),
        CheckRow(id="decide.interval.all-of-32", kind="analytic", ours=probability_interval(1.0, 32)[0],
                 source="2.5 % quantile of Beta(32.5, 0.5) by its incomplete beta function", reference=_jeffreys_low(),
                 tolerance=1e-9),
    ]


def _jeffreys_low() -> float:
    """The same quantile by quadrature and bracketing, in x = 1 - s^2, which takes away the pole of the density."""
    nodes, weights = np.polynomial.legendre.leggauss(200)

    def above(low: float) -> float:
        half = 0.5 * np.sqrt(1.0 - low)
        s = half * (nodes + 1.0)
        return float(np.sum(half * weights * 2.0 * (1.0 - s**2) ** 31.5))

    return float(brentq(lambda low: above(low) / above(0.0) - 0.975, 0.5, 0.999, xtol=1e-13))


def _critical_correlation(degrees_of_freedom: int) -> float:
    point = float(student_t.ppf(0.975, degrees_of_freedom))
    return float(point / np.sqrt(degrees_of_freedom + point**2))


def _inputs() -> list[CheckRow]:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=_DRAWS), rng.normal(size=_DRAWS)
    share = dict(deciding_inputs({"x": x, "y": y}, x + 0.5 * y))["x"]
    # Spearman's rho of a bivariate normal pair with correlation r is 6/pi asin(r/2)
    rho = 6.0 / np.pi * np.arcsin(0.5 / np.sqrt(1.25))
    return [
        CheckRow(id="decide.deciding-input.share", kind="analytic", source="6/pi asin(r/2), squared, r = 1/sqrt 1.25",
                 ours=share, reference=float(rho**2), tolerance=0.02, note=f"{_DRAWS} draws"),
        CheckRow(id="decide.noise-floor.32-draws", kind="analytic", ours=float(np.sqrt(noise_floor(32, 1))),
                 source="t/sqrt(30 + t^2), t the two-sided 5 % point of Student's t with 30 degrees of freedom",
                 reference=_critical_correlation(30), tolerance=1e-9),
    ]
