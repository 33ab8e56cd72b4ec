"""Room for the fields of a run: zeros, laid out for the caches."""

from __future__ import annotations

import numpy as np

from nichedose.transport._room import Room

MANY = 100_000


def address(field: np.ndarray) -> int:
    return int(field.ctypes.data)


def test_fields_are_zeros_on_cache_lines_at_different_places_of_a_page() -> None:
    room = Room()
    fields = [room.zeros((3, MANY)), room.zeros(MANY, np.float32), room.zeros((2, 50, 1000)), room.zeros(7)]
    assert [f.shape for f in fields] == [(3, MANY), (MANY,), (2, 50, 1000), (7,)]
    assert fields[1].dtype == np.float32
    assert all(f.flags.c_contiguous and f.flags.writeable and not f.any() for f in fields)
    assert {address(f) % 64 for f in fields} == {0}
    assert len({address(f) % 4096 for f in fields}) == len(fields)
