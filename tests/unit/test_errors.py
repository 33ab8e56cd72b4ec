"""The error family and its suggestions."""

from __future__ import annotations

import pytest

from nichedose.errors import BadInput, DidNotConverge, NichedoseError, NotComputed, OutOfValidity, near_miss


@pytest.mark.parametrize("error", [BadInput, OutOfValidity, NotComputed, DidNotConverge])
def test_one_family(error: type[NichedoseError]) -> None:
    assert issubclass(error, NichedoseError)
    assert not issubclass(error, ValueError)  # pydantic would swallow it


def test_a_mistyped_name_is_suggested_whatever_its_case() -> None:
    assert near_miss("177lu-psma-671", ["177Lu-PSMA-617", "90Y-FAPI-46"]) == " Did you mean '177Lu-PSMA-617'?"


def test_a_far_name_lists_what_is_known() -> None:
    assert near_miss("zzz", ["b", "a"]) == " Known: a, b."
    assert near_miss("zzz", []) == " None are known."
