"""One plain sentence per candidate: its place, and the reasons that the numbers give."""

from __future__ import annotations

from dataclasses import dataclass, fields

from nichedose.errors import BadInput

__all__ = ["CandidateFacts", "sentence"]

_NOTABLE = 0.1  # a share below a tenth is not a reason worth a clause
_NONE = 0.01  # of the binding sites: below, the target is not on tumour cells
_MOST = 0.5
_STAYS = 0.7
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class CandidateFacts:
    """The numbers that a sentence may cite; None means unknown, and is never cited. Fractions are 0 to 1.

    ``log_kill_rank`` and ``mean_dose_rank`` count from 1 among the ``n_ranked`` evaluable candidates of one mode.
    ``limiting_organ`` is set where an organ limit, and nothing else, fixed ``activity_MBq`` (per administration).
    ``target_on_tumour_fraction``: share of binding sites that tumour cells bear. ``target_negative_fraction`` and
    ``hypoxic_fraction`` are shares of tumour cells; ``hypoxic_survivor_fraction`` is the hypoxic share of survivors.
    ``escaped_fraction``: share of charged-particle energy that leaves the section; ``alpha_dose_fraction``: share of
    the dose.
    """

    name: str
    not_evaluable: str | None = None
    n_ranked: int | None = None
    log_kill: float | None = None
    log_kill_rank: int | None = None
    log_kill_tied: bool = False
    mean_dose_Gy: float | None = None
    mean_dose_rank: int | None = None
    probability_best: float | None = None
    activity_MBq: float | None = None
    limiting_organ: str | None = None
    target_on_tumour_fraction: float | None = None
    target_negative_fraction: float | None = None
    log_kill_positive: float | None = None
    log_kill_negative: float | None = None
    hypoxic_fraction: float | None = None
    hypoxic_survivor_fraction: float | None = None
    escaped_fraction: float | None = None
    alpha_dose_fraction: float | None = None
    shape_unknown: bool = False

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            is_share = f.name.endswith("_fraction") or f.name == "probability_best"
            if is_share and value is not None and not 0.0 <= value <= 1.0:
                raise BadInput(f"CandidateFacts of {self.name}: {f.name} = {value:g}; it must lie between 0 and 1.")


def sentence(facts: CandidateFacts) -> str:
    """The place of one candidate with its reasons, as one sentence; cites only what ``facts`` holds.

    "Because" is used only where the numbers show it: when cells of one kind are most of the survivors.
    """
    if facts.not_evaluable is not None:
        return f"Not evaluable: {facts.not_evaluable.rstrip('. ')}."
    if facts.log_kill is None or facts.log_kill_rank is None:
        return "Not ranked: no log kill was computed."
    clauses = [_reasons(facts), _limit(facts), _caution(facts)]
    said = "; ".join(c for c in clauses if c)
    link = ", " if said.startswith("because") else ": "
    return f"{_place(facts)}{link + said if said else ''}."


def _place(facts: CandidateFacts) -> str:
    assert facts.log_kill is not None and facts.log_kill_rank is not None
    number, place, n = f"{facts.log_kill:.2g}", facts.log_kill_rank, facts.n_ranked
    if n == 1:
        return f"Log kill {number}, the only candidate that could be ranked"
    tied = "Shared " if facts.log_kill_tied else ""
    if place == 1:
        text = f"{tied}highest log kill ({number})"
    elif place == n:
        text = f"{tied}lowest log kill ({number})"
    else:
        text = f"{tied}{_ordinal(place)} in log kill ({number})"
    text = text[0].upper() + text[1:]
    dose_place = facts.mean_dose_rank
    if dose_place is None or dose_place == place:
        return text
    dose = "the highest mean dose" if dose_place == 1 else f"only the {_ordinal(dose_place)} highest mean dose"
    if dose_place < place:
        dose = dose.replace("only ", "")
        return f"{text} although it gives {dose}{_mean_dose(facts)}"
    return f"{text} with {dose}{_mean_dose(facts)}"


def _mean_dose(facts: CandidateFacts) -> str:
    return "" if facts.mean_dose_Gy is None else f" ({facts.mean_dose_Gy:.3g} Gy)"


def _reasons(facts: CandidateFacts) -> str:
    """What holds the candidate back when it stands low or below its dose, else what carries it."""
    assert facts.log_kill_rank is not None
    behind_its_dose = facts.mean_dose_rank is not None and facts.mean_dose_rank < facts.log_kill_rank
    leads = facts.log_kill_rank == 1 and not behind_its_dose
    found = _for(facts) if leads else _against(facts)
    if facts.probability_best is not None and facts.log_kill_rank == 1:
        found.append(f"it is best in {_percent(facts.probability_best)} of the draws")
    return _listed(found)


def _for(facts: CandidateFacts) -> list[str]:
    found = []
    on_tumour = facts.target_on_tumour_fraction
    if on_tumour is not None and not facts.shape_unknown:
        if on_tumour >= _STAYS:
            found.append("the target sits on tumour cells")
        elif on_tumour < _NONE:
            found.append("the target sits on stroma, from where its radiation reaches tumour cells")
    if facts.alpha_dose_fraction is not None and facts.alpha_dose_fraction >= _MOST:
        found.append(f"alpha particles give {_percent(facts.alpha_dose_fraction)} of the dose")
    if facts.escaped_fraction is not None and 1.0 - facts.escaped_fraction >= _STAYS:
        found.append(f"{_percent(1.0 - facts.escaped_fraction)} of the energy stays in the section")
    return found


def _against(facts: CandidateFacts) -> list[str]:
    found = []
    on_tumour = facts.target_on_tumour_fraction
    if on_tumour is not None and on_tumour < _NONE:
        found.append("the target sits on stroma, so tumour cells get cross-fire alone")
    else:
        found.append(_negative_cells(facts))
        if on_tumour is not None and on_tumour <= 1.0 - _STAYS:
            found.append(f"tumour cells bear only {_percent(on_tumour)} of the target")
    found = [text for text in (*found, _hypoxia(facts)) if text]
    if facts.escaped_fraction is not None and facts.escaped_fraction >= 1.0 - _STAYS:
        found.append(f"{_percent(facts.escaped_fraction)} of the energy leaves the section")
    return sorted(found, key=lambda text: not text.startswith("because"))


def _negative_cells(facts: CandidateFacts) -> str:
    share, positive, negative = facts.target_negative_fraction, facts.log_kill_positive, facts.log_kill_negative
    if share is None or share < _NOTABLE:
        return ""
    text = f"{_percent(share)} of tumour cells do not bear the target"
    if positive is None or negative is None:
        return text
    # share of survivors that are target-negative, from the gap only, so that large log kills do not underflow
    survivors = share / (share + (1.0 - share) * 10.0 ** min(negative - positive, 300.0))
    if survivors < _MOST or negative >= positive:
        return text
    return f"because {text} and are {_percent(survivors)} of the survivors"


def _hypoxia(facts: CandidateFacts) -> str:
    if facts.hypoxic_fraction is None or facts.hypoxic_fraction < _NOTABLE:
        return ""
    text = f"{_percent(facts.hypoxic_fraction)} of tumour cells are hypoxic"
    survivors = facts.hypoxic_survivor_fraction
    if survivors is None or survivors < _MOST or survivors <= facts.hypoxic_fraction:
        return text
    return f"because {text} and are {_percent(survivors)} of the survivors"


def _limit(facts: CandidateFacts) -> str:
    if facts.limiting_organ is None or facts.activity_MBq is None:
        return ""
    return f"organ limits ({facts.limiting_organ}) allow {_activity(facts.activity_MBq)} per administration"


def _caution(facts: CandidateFacts) -> str:
    return "too few counts to map its target, which is taken as even over its cells" if facts.shape_unknown else ""


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""


def _percent(fraction: float) -> str:
    """Whole percent; never rounds to 0 % or 100 % what is not exactly that."""
    percent = 100.0 * fraction
    if 0.0 < percent < 1.0:
        return "less than 1 %"
    if 99.0 < percent < 100.0:
        return "over 99 %"
    return f"{percent:.0f} %"


def _activity(activity_MBq: float) -> str:
    return f"{activity_MBq / 1e3:.3g} GBq" if activity_MBq >= 1e3 else f"{activity_MBq:.3g} MBq"


def _ordinal(place: int) -> str:
    if place <= len(_ORDINALS):
        return _ORDINALS[place - 1]
    suffix = "th" if 10 <= place % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{suffix}"
