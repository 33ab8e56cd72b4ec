"""Numbers as a reader wants them: three significant digits, always with a unit, and never an empty NaN."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from nichedose.quantities import split_unit, unit_of_key
from nichedose.results import Quantiles
from nichedose.values import Value

__all__ = [
    "LARGEST_LOG_KILL",
    "NOT_COMPUTED",
    "Shown",
    "activity",
    "as_sentence",
    "bare_name",
    "cell_words",
    "chance",
    "count",
    "distribution",
    "duration",
    "humanise",
    "log_kill",
    "number",
    "percent",
    "quantiles",
    "range_of",
    "survival",
    "unit_of",
    "unit_sign",
]

NOT_COMPUTED = "not computed"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_THIN = "\u202f"
# Beyond this the linear-quadratic model was never measured, and a lesion has no cells left to lose: not told apart.
LARGEST_LOG_KILL = 10.0
_LEAST_SHARE = 1e-12  # shares below are not told apart


@dataclass(frozen=True)
class Shown:
    """A number ready to print: ``text`` with its unit, the ``interval`` over the draws, or ``why`` there is none."""

    text: str
    interval: str = ""
    why: str = ""
    computed: bool = True


def number(value: float | None) -> str:
    """``value`` with three significant digits; `NOT_COMPUTED` for None and for anything that is not finite.

    >>> number(1234.5), number(0.012345), number(2.5e-7), number(None)
    ('1230', '0.0123', '2.50 × 10⁻⁷', 'not computed')
    """
    if value is None or not math.isfinite(value):
        return NOT_COMPUTED
    if value == 0.0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    rounded = round(float(value), 2 - exponent)
    exponent = math.floor(math.log10(abs(rounded)))
    if -4 <= exponent < 5:
        text = f"{rounded:.{max(0, 2 - exponent)}f}"
        return _group(text).replace("-", "−")
    mantissa = rounded / 10.0**exponent
    return f"{mantissa:.2f} × 10{str(exponent).translate(_SUPERSCRIPT)}".replace("-", "−")


def count(value: int) -> str:
    """A whole number, with thin spaces between thousands from five digits on."""
    return _group(str(value))


def quantiles(value: Quantiles | None, unit: str = "", *, why: str = "") -> Shown:
    """The typical number (median of the draws, else the central run), and 5 % to 95 % over the draws."""
    if value is None or not math.isfinite(value.typical):
        return Shown(NOT_COMPUTED, why=why, computed=False)
    suffix = f" {unit}" if unit else ""
    return Shown(number(value.typical) + suffix, _interval(value.q05, value.q95, number))


def log_kill(value: Quantiles | None, *, why: str = "") -> Shown:
    """Like `quantiles`, without telling numbers above `LARGEST_LOG_KILL` apart.

    >>> log_kill(Quantiles(26.0, 3.0, 12.0, 40.0))
    Shown(text='over 10', interval='3.00 to over 10', why='', computed=True)
    """
    if value is None or not math.isfinite(value.typical):
        return Shown(NOT_COMPUTED, why=why, computed=False)
    if value.q05 is not None and value.q05 > LARGEST_LOG_KILL:
        return Shown(_kill(value.typical), f"{_kill(value.q05)} at 5 % already")
    return Shown(_kill(value.typical), _interval(value.q05, value.q95, _kill))


def survival(value: Quantiles | None, *, why: str = "") -> Shown:
    """A surviving fraction as per cent; below 10 to the power of -`LARGEST_LOG_KILL` numbers are not told apart."""
    if value is None or not math.isfinite(value.typical):
        return Shown(NOT_COMPUTED, why=why, computed=False)
    least = 10.0**-LARGEST_LOG_KILL
    if value.q95 is not None and value.q95 < least:
        return Shown(_surviving(value.typical), f"{_surviving(value.q95)} at 95 % still")
    return Shown(_surviving(value.typical), _interval(value.q05, value.q95, _surviving))


def chance(value: float | None) -> str:
    """A probability in whole per cent; what is neither 0 nor 1 is not rounded to it.

    >>> chance(0.6249), chance(0.002), chance(0.998), chance(1.0)
    ('62 %', 'below 1 %', 'over 99 %', '100 %')
    """
    if value is None or not math.isfinite(value):
        return NOT_COMPUTED
    if value not in (0.0, 1.0) and not 0.01 <= value <= 0.99:
        return "below 1 %" if value < 0.5 else "over 99 %"
    return f"{100.0 * value:.0f} %"


def percent(value: float | None) -> str:
    """A fraction as per cent; small ones keep three digits, whole ones lose their zeros.

    >>> percent(0.5), percent(0.034567), percent(1e-9), percent(1e-90)
    ('50 %', '3.46 %', '1.00 × 10⁻⁷ %', 'below 10⁻¹⁰ %')
    """
    if value is None or not math.isfinite(value):
        return NOT_COMPUTED
    if 0.0 < value < _LEAST_SHARE:
        return "below 10⁻¹⁰ %"
    text = number(100.0 * value)
    return f"{re.sub(r'[.]0+$', '', text)} %"


def activity(value: Quantiles | None, *, why: str = "") -> Shown:
    """MBq in the unit that a prescription would use."""
    if value is None or not math.isfinite(value.typical):
        return Shown(NOT_COMPUTED, why=why, computed=False)
    factor, unit = (1e-3, "GBq") if value.typical >= 1000.0 else (1.0, "MBq") if value.typical >= 1.0 else (1e3, "kBq")
    return Shown(
        f"{number(factor * value.typical)} {unit}", _interval(value.q05, value.q95, lambda x: number(factor * x))
    )


def duration(hours: float) -> str:
    """An interval between administrations: weeks where it is whole weeks, else days or hours.

    >>> duration(1008.0), duration(36.0)
    ('6 wk', '1.50 d')
    """
    for size, unit in ((168.0, "wk"), (24.0, "d")):
        count = hours / size
        if count >= 1.0 and abs(count - round(count)) < 1e-9:
            return f"{round(count)} {unit}"
    return f"{number(hours / 24.0)} d" if hours >= 24.0 else f"{number(hours)} h"


def distribution(value: Value) -> str:
    """What a library value is drawn from, in words."""
    if value.value is not None:
        return "fixed"
    if value.geometric_sd is not None:
        return f"log-normal, geometric SD {number(value.geometric_sd)}"
    if value.sd is not None:
        return f"normal above zero, SD {number(value.sd)}"
    kind = "log-uniform" if value.log else "uniform"
    return f"{kind}, {number(value.low)} to {number(value.high)}"


def range_of(value: Value) -> str:
    """5 % to 95 % of a value's distribution; empty for a fixed one."""
    return "" if value.is_fixed else _interval(value.quantile(0.05), value.quantile(0.95), number)


def unit_of(name: str) -> str:
    """The unit that stands at the end of a name, as printed, or an empty text for a number without one.

    >>> unit_of("ligand.PSMA-617.dissociation_constant_nmol_per_L"), unit_of("vessel_contrast")
    ('nmol/L', '')
    """
    return unit_sign(unit_of_key(name))


def unit_sign(unit: str) -> str:
    """A unit as printed: powers raised, micrometres with their letter, the unit of a bare ratio dropped.

    >>> unit_sign("1/mm3"), unit_sign("um2/s"), unit_sign("MBq.h/L"), unit_sign("1")
    ('1/mm³', 'µm²/s', 'MBq·h/L', '')
    """
    if unit == "1":
        return ""
    return re.sub(r"(?<=m)[23]", lambda m: "²³"[int(m[0]) - 2], re.sub(r"\bum", "µm", unit)).replace(".", "·")


def humanise(name: str) -> str:
    """``"run_time_s"`` becomes ``"run time (s)"``.

    >>> humanise("run_time_s"), humanise("equal_toxicity")
    ('run time (s)', 'equal toxicity')
    """
    bare, unit = split_unit(name)
    return bare.replace("_", " ") + (f" ({unit_sign(unit)})" if unit else "")


def cell_words(name: str) -> str:
    """``"t_cell"`` as ``"T cell"``, and other names without underscores."""
    return re.sub(r"\b([a-z])_cell", lambda m: f"{m[1].upper()} cell", name).replace("_", " ")


def bare_name(name: str) -> str:
    """A name in words without its unit: ``"mean_dose_Gy"`` becomes ``"mean dose"``."""
    return split_unit(name)[0].replace("_", " ")


def as_sentence(text: str) -> str:
    """``text`` with a capital first letter and a full stop at the end."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if not text or text[-1] in ".?!:" else ".")


def _kill(value: float) -> str:
    return f"over {LARGEST_LOG_KILL:g}" if value > LARGEST_LOG_KILL else number(value)


def _surviving(value: float) -> str:
    power = f"{-LARGEST_LOG_KILL:g}".translate(_SUPERSCRIPT)
    return f"below 10{power}" if value < 10.0**-LARGEST_LOG_KILL else percent(value)


def _interval(low: float | None, high: float | None, write: object) -> str:
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    assert callable(write)
    return f"{write(low)} to {write(high)}"


def _group(text: str) -> str:
    """Thin spaces between thousands from five digits on."""
    whole, dot, rest = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    if len(digits) < 5:
        return text
    return f"{sign}{int(digits):,}".replace(",", _THIN) + dot + rest
