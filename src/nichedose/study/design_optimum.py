"""The best ligand between the designs that were tried: climbed to by exact gradients, with how flat the top is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.decide import ascend
from nichedose.errors import DidNotConverge, NotComputed
from nichedose.fields.grid import Array
from nichedose.findings import Cell, FindingChart, FindingTable, Part
from nichedose.nuclide import half_life_h
from nichedose.study.design_chain import DesignChain, design_gradient, design_value
from nichedose.study.design_ligand import PROPERTIES, LigandDesign

__all__ = [
    "MASS_FACTORS", "SLOWEST", "WITHIN", "Optimum", "climb", "in_words", "optimum_part", "optimum_sentence",
    "size_word",
]

WITHIN = 0.05  # of the best log kill: what is called as good
MASS_FACTORS = (0.1, 10.0)
SLOWEST = 1e-3  # per h: below it nothing is internalised within the label's life
POINTS = 9
NOTHING = 1e-6  # log kill
WORDS = {"affinity_nmol_per_L": "KD, nmol/L", "molar_mass_kDa": "size, kDa",
         "internalisation_per_h": "internalisation, 1/h", "half_life_h": "half-life, d",
         "ligand_mass_factor": "amount injected, times the agent's"}
# by property and end of the search: what in this comparison pulls there, and what it leaves out
PULLS = {
    ("molar_mass_kDa", "lowest"): "small ligands pass vessel walls faster, and nothing here charges for kidneys",
    ("molar_mass_kDa", "highest"): "large ligands stay in plasma, and only plasma held equal charges for it",
    ("half_life_h", "highest"): "a slow label gives more to tumour than to plasma, and only growth charges for it",
    ("half_life_h", "lowest"): "growth outruns a slower label",
    ("affinity_nmol_per_L", "lowest"): "the longer a ligand holds on, the more of its label decays in the tumour",
    ("affinity_nmol_per_L", "highest"): "a weaker ligand reaches further past the first cells",
    ("internalisation_per_h", "lowest"): "this ligand holds longer on the surface than inside, at the agent's release",
    ("internalisation_per_h", "highest"): "this label stays longer inside cells than on their surface",
    ("ligand_mass_factor", "lowest"): "less ligand saturates fewer sites, and molar activity is taken as free",
    ("ligand_mass_factor", "highest"): "more ligand reaches further past the first cells",
}
SIZES = ((5.0, "peptide-size"), (30.0, "nanobody-size"), (90.0, "fragment-size"), (np.inf, "antibody-size"))


@dataclass(frozen=True)
class Optimum:
    """The best design of one draw. ``low`` and ``high`` bound what was searched; ``profile`` by property: values of it
    and the log kill as it alone moves (central run only); ``flat``: from where to where that stays within 5 % of the
    best.

    ``started`` is the log kill of the best design of the grid, by the same chain.
    """

    design: LigandDesign
    log_kill: float
    evaluations: int
    started: float
    low: LigandDesign
    high: LigandDesign
    profile: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]

    @property
    def flat(self) -> dict[str, tuple[float, float]]:
        return {name: _flat(*self.profile[name], getattr(self.design, name), self.log_kill) for name in self.profile}

    def at_edge(self, name: str) -> str:
        """'lowest' or 'highest' where the best lies at an end of what was searched, else nothing."""
        value, low, high = (getattr(d, name) for d in (self.design, self.low, self.high))
        return "" if low == high else "lowest" if value < 1.001 * low else "highest" if value > 0.999 * high else ""


def climb(
    chain: Callable[[], DesignChain], start: LigandDesign, ranges: dict[str, tuple[float, float]], *, flat: bool
) -> Optimum | str:
    """Climb from ``start`` within ``ranges`` by property; with ``flat``, how far each may move. A reason in words where
    the case holds what derivatives do not follow."""
    low, high = (LigandDesign(**{name: ends[i] for name, ends in ranges.items()}) for i in (0, 1))
    begin = LigandDesign.of_logs(np.clip(start.logs, low.logs, high.logs))
    try:
        of = chain()
        found = ascend(lambda x: design_gradient(of, LigandDesign.of_logs(x)), low.logs, high.logs, begin.logs)
        if found.value <= NOTHING:
            return "growth outruns the kill of every design"
        best = LigandDesign.of_logs(found.x)
        profile = {name: _profile(of, best, found.value, name, *ranges[name]) for name in PROPERTIES} if flat else {}
        return Optimum(best, found.value, found.evaluations, design_value(of, begin), low, high, profile)
    except (NotComputed, DidNotConverge) as error:
        return str(error)


def _profile(
    chain: DesignChain, best: LigandDesign, top: float, name: str, low: float, high: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Values of one property, even in the logarithm on either side of the best, and the log kill there."""
    here = getattr(best, name)
    sides = [np.geomspace(low, here, POINTS // 2 + 1)[:-1] if low < here else np.empty(0),
             np.geomspace(here, high, POINTS // 2 + 1)[1:] if here < high else np.empty(0)]
    values = [[design_value(chain, dataclasses.replace(best, **{name: float(x)})) for x in side] for side in sides]
    return (*map(float, sides[0]), here, *map(float, sides[1])), (*values[0], top, *values[1])


def _flat(x: Sequence[float], values: Sequence[float], here: float, top: float) -> tuple[float, float]:
    """Where the log kill crosses 95 % of its best on either side, by lines between points in the logarithm."""
    at, y, middle = np.log(x), np.array(values), list(x).index(here)
    bound = (1.0 - WITHIN) * top
    return (float(np.exp(_crossing(at[middle::-1], y[middle::-1], bound))),
            float(np.exp(_crossing(at[middle:], y[middle:], bound))))


def _crossing(at: Array, values: Array, bound: float) -> float:
    """First place along ``at`` where the values fall to ``bound``; the last place when they never do."""
    below = np.flatnonzero(values < bound)
    if not below.size:
        return float(at[-1])
    i = int(below[0])
    share = (values[i - 1] - bound) / (values[i - 1] - values[i])
    return float(at[i - 1] + share * (at[i] - at[i - 1]))


def size_word(molar_mass_kDa: float) -> str:
    """What molecules of that size are called."""
    return next(word for top, word in SIZES if molar_mass_kDa < top)


def optimum_sentence(central: Optimum | str, radionuclides: Sequence[str]) -> str:
    """The answer for people who choose a ligand."""
    if isinstance(central, str):
        return f"No optimum between these designs: {central}."
    f = central.flat
    days = f["half_life_h"][0] / 24.0, f["half_life_h"][1] / 24.0
    fitting = [n for n in radionuclides if days[0] <= half_life_h(n) / 24.0 <= days[1]]
    words = list(dict.fromkeys(size_word(v) for v in f["molar_mass_kDa"]))
    text = (f"For this tumour: {' to '.join(words)} ({_within(central, 'molar_mass_kDa', 'kDa')}), KD "
            f"{_within(central, 'affinity_nmol_per_L', 'nmol/L')}, internalisation "
            f"{_within(central, 'internalisation_per_h', 'per h')}, half-life {_within(central, 'half_life_h', 'd')}"
            + (f" ({', '.join(fitting)})" if fitting else "") + ": each alone keeps within 5 % of the best.")
    return text + _beyond(central)


def _within(central: Optimum, name: str, unit: str) -> str:
    """The range of one property; an end that is only the end of the search is no bound, and is not told as one."""
    per = _per(name)
    low, high = (v / per for v in central.flat[name])
    ends = getattr(central.low, name) / per, getattr(central.high, name) / per
    open_below, open_above = low < 1.001 * ends[0], high > 0.999 * ends[1]
    if ends[0] == ends[1]:
        return f"{_two(low)} {unit}, the only one tried"
    if open_below and open_above:
        return f"any of {in_words((low, high))} {unit}"
    return (f"{_two(high)} {unit} or less" if open_below else f"{_two(low)} {unit} or more" if open_above else
            f"{in_words((low, high))} {unit}")


def _beyond(central: Optimum) -> str:
    """What the search did not reach, where the best lies at its end."""
    found = {"lowest": [n for n in PROPERTIES if central.at_edge(n) == "lowest"],
             "highest": [n for n in PROPERTIES if central.at_edge(n) == "highest"]}
    said = [f"{end} " + ", ".join(f"{WORDS[n].split(',')[0]} ({_told(central, n)})" for n in names)
            for end, names in found.items() if names]
    return f" The best is at the {' and the '.join(said)} searched: the true best may lie beyond." if said else ""


def _told(central: Optimum, name: str) -> str:
    return f"{_two(getattr(central.design, name) / _per(name))} {WORDS[name].split(', ')[1]}"


def optimum_part(
    central: Optimum | str, draws: Sequence[Optimum | str], tried: float, tried_median: float, *,
    equal_activity: bool, grows: bool,
) -> Part:
    """The optimum at the medians, over the draws, how flat it is, and what gradients cost.

    ``tried`` is the log kill of the best design tried at the medians, ``tried_median`` its median over the draws.
    ``equal_activity`` and ``grows`` say what was compared: designs at one activity, and kill net of growth.
    """
    title = "The optimum"
    if isinstance(central, str):
        return Part(title, (f"Not computed: {central}.",))
    found = [d for d in draws if isinstance(d, Optimum)]
    rows: list[tuple[Cell, ...]] = []
    for name in PROPERTIES:
        per = _per(name)
        over = [getattr(d.design, name) / per for d in found]
        rows.append((WORDS[name], _two(getattr(central.design, name) / per),
                     in_words((central.flat[name][0] / per, central.flat[name][1] / per)),
                     in_words((getattr(central.low, name) / per, getattr(central.high, name) / per)),
                     in_words((min(over), max(over))) if over else None, central.at_edge(name) or "no"))
    head = ("property", "best at the medians", "within 5 % of it, alone", "searched", "best in draws",
            "at the end of the search")
    keep = [i for i in range(len(head)) if any(row[i] is not None for row in rows)]
    table = FindingTable(tuple(head[i] for i in keep), tuple(tuple(r[i] for i in keep) for r in rows),
                         note=f"{central.evaluations} evaluations of value and gradient.")
    over = [d.log_kill for d in found]
    spread = f" (in the draws {in_words((min(over), max(over)))})" if over else ""
    in_draws = f" and {tried_median:.3g} in the median of the draws" if draws else ""
    return Part(title, (
        "All five properties are moved together, between the designs below, along exact derivatives of the log kill "
        "through binding, tissue, dose and survival.",
        f"Log kill {central.log_kill:.3g} at the medians{spread}. The best of the designs tried below reaches "
        f"{tried:.3g} at the medians{in_draws}: they hold the injected amount "
        "as it is and take fixed steps, the optimum does not.",
        *(f"At the {central.at_edge(n)} {WORDS[n].split(',')[0]}: {why}." for n in PROPERTIES
          if (why := _pull(n, central.at_edge(n), equal_activity, grows))),
    ), (table,), tuple(_chart(central, name) for name in PROPERTIES if len(central.profile[name][0]) > 1))


def _pull(name: str, end: str, equal_activity: bool, grows: bool) -> str:
    """What in this comparison pulls a property to that end; nothing where it lies at none, or no reason is known."""
    if (name, end) == ("half_life_h", "highest") and equal_activity:
        return "one MBq of a slow label holds more decays" + (", and only growth charges for it" if grows else "")
    if (name, end) == ("half_life_h", "lowest") and not grows:
        return ""
    return PULLS.get((name, end), "")


def _chart(central: Optimum, name: str) -> FindingChart:
    at, values = central.profile[name]
    return FindingChart(
        f"Log kill by {WORDS[name].split(',')[0]}", "The other properties stay at the best.", WORDS[name], "log kill",
        tuple(x / _per(name) for x in at), {"log kill": values}, log_x=True)


def _per(name: str) -> float:
    """From what a property is held in to what is shown."""
    return 24.0 if name == "half_life_h" else 1.0


def in_words(ends: tuple[float, float]) -> str:
    """A range in two digits, once where both ends read alike."""
    low, high = map(_two, ends)
    return low if low == high else f"{low} to {high}"


def _two(value: float) -> str:
    """Two digits, without powers of ten for hundreds."""
    return f"{value:.0f}" if value >= 100.0 else f"{value:.2g}"
