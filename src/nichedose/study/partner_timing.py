"""When to block a checkpoint beside a radiopharmaceutical: the immune course in each draw that meets a mouse series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nichedose.effect import ImmuneCalibration, calibrate_immune, combination_times
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.findings import FindingChart, Findings, FindingTable, Part
from nichedose.library import iter_values, load_library
from nichedose.library.effects import ImmuneExperiment
from nichedose.values import ValueUse

__all__ = ["partner_timing"]

Progress = Callable[[str, int, int], None]
DELAYS_D = (-14.0, -7.0, 0.0, 3.0, 7.0, 10.0, 14.0, 21.0, 28.0)
CLEAR = 0.8  # share of draws above which an order is called better
LEAST_GAIN_D = 1.0  # a median gain below a day is none


def partner_timing(
    phenotype: str = "inflamed", *, delays_d: Sequence[float] = DELAYS_D, draws: int = 200, seed: int = 1,
    progress: Progress = lambda *_: None,
) -> Findings:
    """Days to the endpoint by the delay of the blockade after the radiopharmaceutical, for every series of the library.

    Negative delays give the blockade first. Delays are compared within draws. Raises `BadInput` for an unknown
    phenotype, fewer than 20 draws, or delays beyond 60 d.
    """
    library = load_library()
    data = library.immune
    if phenotype not in data.phenotype:
        raise BadInput(f"Unknown immune phenotype '{phenotype}'.{near_miss(phenotype, data.phenotype)}")
    days = tuple(sorted({*map(float, delays_d), 0.0}))
    if not all(np.isfinite(d) and abs(d) <= 60.0 for d in days):
        raise BadInput("Delays must lie between -60 and 60 d.")
    infiltration = data.phenotype[phenotype].infiltration.central
    found, times = {}, {}
    for done, (name, experiment) in enumerate(data.experiment.items(), start=1):
        progress("series", done - 1, len(data.experiment))
        found[name] = calibrate_immune(experiment, data.prior, draws=draws, seed=seed)
        times[name] = {d: _times(found[name], d, infiltration) for d in days}
        progress("series", done, len(data.experiment))
    better = {name: {d: float(np.mean(t[d] > t[0.0])) for d in days if d != 0.0} for name, t in times.items()}
    return Findings(
        title=f"When to block the checkpoint: {phenotype} tumour",
        answer=_answer(times, better) + _standing(data.experiment, found),
        parts=(
            Part("By the delay of the blockade", text=(
                "Days to the endpoint of the mouse series; differences are within draws. Order may carry over, days do "
                "not.",), tables=tuple(_table(name, t, better[name]) for name, t in times.items()),
                charts=(FindingChart(
                    "Gain over both at once", "Median of the draws, by series.", "blockade after the dose, d",
                    "median gain, d", days,
                    {_named(n): tuple(float(np.median(t[d] - t[0.0])) for d in days) for n, t in times.items()}),)),
            Part("What stands behind it", text=(
                "Two numbers, kill by effectors and sensitivity of the tumour, are fitted to the single arms; the "
                "combination was held out.", _unidentified(found)),
                tables=(_held_out(data.experiment, found),)),
        ),
        values_used=tuple(ValueUse(f"immune.{key}", value) for key, value in iter_values(data)),
        sources=library.sources,
        assumptions=(
            f"Infiltration {infiltration:.3g} of an inflamed tumour's; the blockade lasts 10 to 21 d.",
            "The model delays growth and cannot eliminate a tumour: it says nothing of lasting control.",
        ),
        numbers={"median_d": {n: {f"{d:g}": float(np.median(v)) for d, v in t.items()} for n, t in times.items()},
                 "better_than_together": {n: {f"{d:g}": v for d, v in b.items()} for n, b in better.items()},
                 "held_out": {n: list(c.interval_d()) for n, c in found.items()}},
    )


def _named(series: str) -> str:
    """'guzik_2020' as a reader writes it."""
    author, year = series.rsplit("_", 1)
    return f"{author.capitalize()} {year}"


def _times(found: ImmuneCalibration, delay_d: float, infiltration: float) -> Array:
    """With a negative delay the blockade starts with the clock and the dose follows."""
    if delay_d < 0.0:
        return combination_times(found, 0.0, dose_start_d=-delay_d, infiltration=infiltration)
    return combination_times(found, delay_d, infiltration=infiltration)


def _answer(times: Mapping[str, Mapping[float, Array]], better: Mapping[str, Mapping[float, float]]) -> str:
    gain = {d: min(float(np.median(t[d] - t[0.0])) for t in times.values())
            for d in next(iter(better.values())) if all(b[d] >= CLEAR for b in better.values())}
    if max(gain.values(), default=0.0) < LEAST_GAIN_D:
        return ("Both at once, or nearly: no delay gains a day over it in four fifths of the draws of every series."
                + _losses(times))
    best = max(gain, key=lambda d: gain[d])
    when = f"{best:g} d after the dose" if best > 0.0 else f"{-best:g} d before the dose"
    return (f"Block the checkpoint {when}: better than both at once in "
            f"{100 * min(b[best] for b in better.values()):.0f} % of draws or more in every series, by a median of "
            f"{gain[best]:.1f} d or more.{_losses(times)}")


def _losses(times: Mapping[str, Mapping[float, Array]]) -> str:
    """What the longest wait on either side costs, in the series that loses most."""
    days = list(next(iter(times.values())))
    lost = {d: min(float(np.median(t[d] - t[0.0])) for t in times.values()) for d in (days[0], days[-1])}
    named = [f"{abs(d):g} d {'before' if d < 0.0 else 'after'} the dose costs {-loss:.1f} d"
             for d, loss in lost.items() if loss < 0.0]
    return f" Blocking the checkpoint {', '.join(named)} (medians, the worse series)." if named else ""


def _table(name: str, times: Mapping[float, Array], better: Mapping[float, float]) -> FindingTable:
    rows = []
    for d, value in times.items():
        low, mid, high = np.quantile(value, [0.05, 0.5, 0.95])
        gain = np.quantile(value - times[0.0], [0.05, 0.5, 0.95])
        span = f"{mid:.1f} ({low:.1f} to {high:.1f})"
        day = f"{d:g}".replace("-", "−")
        if d == 0.0:
            rows.append((day, span, "compared with this", ""))
        else:
            rows.append((day, span, f"{_signed(gain[1])} ({_signed(gain[0])} to {_signed(gain[2])})",
                         f"{100 * better[d]:.0f} %"))
    return FindingTable(("blockade after the dose, d", "days to the endpoint (5 to 95 %)", "gain over both at once, d",
                         "better in"), tuple(rows), title=_named(name))


def _unidentified(found: Mapping[str, ImmuneCalibration]) -> str:
    """How little the single arms say of everything else."""
    narrowed = [v for c in found.values() for v in c.narrowed.values()]
    return ("What these arms cannot tell: antigen, suppression, regulation, turnover and the dose to lymphocytes keep "
            f"{min(narrowed):.2f} to {max(narrowed):.2f} of the spread that was assumed for them. Counts of effectors "
            "over time, an arm with another dose and one with another order would separate them.")


def _signed(days: float) -> str:
    """One decimal with its sign; what rounds to zero has none."""
    text = f"{days:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def _inside(experiment: ImmuneExperiment, found: ImmuneCalibration) -> bool:
    low, _, high = found.interval_d()
    return high > experiment.combination_d if experiment.combination_at_least else low < experiment.combination_d < high


def _standing(experiments: Mapping[str, ImmuneExperiment], found: Mapping[str, ImmuneCalibration]) -> str:
    """In the answer itself: which held-out combinations the model did not foresee."""
    missed = []
    for name, e in experiments.items():
        if not _inside(e, found[name]):
            low, _, high = found[name].interval_d()
            missed.append(f"{_named(name)} ({'more than ' if e.combination_at_least else ''}{e.combination_d:g} d "
                          f"observed, {low:.0f} to {high:.0f} d predicted)")
    return f" The model did not foresee the held-out combination of {' and '.join(missed)}." if missed else ""


def _held_out(experiments: Mapping[str, ImmuneExperiment], found: Mapping[str, ImmuneCalibration]) -> FindingTable:
    rows = []
    for name, e in experiments.items():
        low, mid, high = found[name].interval_d()
        observed = f"{'> ' if e.combination_at_least else ''}{e.combination_d:g}"
        rows.append((e.model, f"{e.control_d:g}", f"{e.radiation_d:g}", f"{e.checkpoint_d:g}", observed,
                     f"{mid:.1f} ({low:.1f} to {high:.1f})", "yes" if _inside(e, found[name]) else "NO"))
    return FindingTable(("series", "control, d", "radiation, d", "checkpoint, d", "both, observed, d",
                         "both, predicted (90 %), d", "inside"), tuple(rows))

