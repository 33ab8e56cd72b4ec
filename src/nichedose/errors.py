"""The error family. Every message names the field, the value, the rule, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["BadInput", "DidNotConverge", "NichedoseError", "NotComputed", "OutOfValidity", "near_miss"]


class NichedoseError(Exception):
    """Base of all errors that nichedose raises on purpose; the command line prints it without a traceback."""


class BadInput(NichedoseError):
    """A file, a case or an argument is wrong, and the user can mend it."""


class OutOfValidity(NichedoseError):
    """A model was asked for something outside the range in which it is known to hold."""


class NotComputed(NichedoseError):
    """A result was asked for that was not kept or cannot be defended."""


class DidNotConverge(NichedoseError):
    """A solver stopped before it reached its tolerance; the message says where, and with which residual."""


def near_miss(name: str, allowed: Iterable[str]) -> str:
    """A suggestion for a mistyped name: ``" Did you mean 'x'?"``, or the list of what is allowed.

    >>> near_miss("177Lu-PSMA-671", ["177Lu-PSMA-617", "90Y-FAPI-46"])
    " Did you mean '177Lu-PSMA-617'?"
    """
    names = sorted(allowed)
    lowered = {n.lower(): n for n in names}
    close = difflib.get_close_matches(str(name).lower(), list(lowered), n=3, cutoff=0.6)
    if close:
        return " Did you mean " + " or ".join(f"'{lowered[c]}'" for c in close) + "?"
    return f" Known: {', '.join(names)}." if names else " None are known."
