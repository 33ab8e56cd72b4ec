"""A vector of doubles as a type of numba: one value of each of several patients.

Rows of arrays (rows, LANES) are read and written without a check of their bounds.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from nichedose.fields import lanes

__all__ = ["LANES", "add", "load", "minus_product", "plus_product", "ratio", "splat", "store", "times"]

LANES = 8  # patients side by side: all that a step touches stays in the first two caches
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


_LANES = _Lanes()


@register_model(_Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


@lanes.operation
def load(typing: Any, array: Any, row: Any) -> Any:
    """``array[row]`` of an array (rows, LANES)."""
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return lanes.VectorArray(context, builder, signature.args[0], values[0], LANES).load(values[1])
    return _LANES(array, types.intp), code


@lanes.operation
def store(typing: Any, array: Any, row: Any, value: Any) -> Any:
    """``array[row] = value``."""
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        lanes.VectorArray(context, builder, signature.args[0], values[0], LANES).store(values[2], values[1])
        return context.get_dummy_value()
    return types.void(array, types.intp, _LANES), code


@lanes.operation
def splat(typing: Any, value: Any) -> Any:
    """One number in all lanes."""
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return lanes.splat(builder, values[0], _VECTOR)
    return _LANES(types.float64), code


def _binary(name: str) -> Any:
    def operation(typing: Any, left: Any, right: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return getattr(builder, name)(*values, flags=lanes.CONTRACT)
        return _LANES(_LANES, _LANES), code
    return lanes.operation(operation)


def _product(name: str) -> Any:
    def operation(typing: Any, base: Any, left: Any, right: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            product = builder.fmul(*values[1:], flags=lanes.CONTRACT)
            return getattr(builder, name)(values[0], product, flags=lanes.CONTRACT)
        return _LANES(_LANES, _LANES, _LANES), code
    return lanes.operation(operation)


add, times, ratio = _binary("fadd"), _binary("fmul"), _binary("fdiv")
plus_product, minus_product = _product("fadd"), _product("fsub")  # base +- left x right
