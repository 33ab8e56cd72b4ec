"""Vectors of doubles for numba: one value of each of several patients, held in the processor's vector registers.

numba has no vector type, and its loop vectoriser must ask before each short loop whether the arrays overlap. These
few operations write the vector instructions themselves (LLVM splits them for registers of any width). Rows of arrays
(rows, LANES) are read and written without a check of their bounds.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

__all__ = ["LANES", "add", "load", "minus_product", "plus_product", "ratio", "splat", "store", "times"]

LANES = 8  # patients side by side: all that a step touches stays in the first two caches
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_CONTRACT = ("contract",)  # a product and a sum may become one instruction


def _operation(write: Any) -> Any:
    """numba's decorator, without its claim that the typing context must be passed."""
    return intrinsic(write)


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


_LANES = _Lanes()


@register_model(_Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _place(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    data = cgutils.create_struct_proxy(kind)(context, builder, array).data
    first = builder.mul(row, ir.Constant(row.type, LANES))
    return builder.bitcast(builder.gep(data, [first]), _VECTOR.as_pointer())


@_operation
def load(typing: Any, array: Any, row: Any) -> Any:
    """``array[row]`` of an array (rows, LANES)."""
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_place(context, builder, signature.args[0], *values), align=8)
    return _LANES(array, types.intp), code


@_operation
def store(typing: Any, array: Any, row: Any, value: Any) -> Any:
    """``array[row] = value``."""
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _place(context, builder, signature.args[0], *values[:2]), align=8)
        return context.get_dummy_value()
    return types.void(array, types.intp, _LANES), code


@_operation
def splat(typing: Any, value: Any) -> Any:
    """One number in all lanes."""
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), values[0], ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
        return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), mask)
    return _LANES(types.float64), code


def _binary(name: str) -> Any:
    def operation(typing: Any, left: Any, right: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return getattr(builder, name)(*values, flags=_CONTRACT)
        return _LANES(_LANES, _LANES), code
    return _operation(operation)


def _product(name: str) -> Any:
    def operation(typing: Any, base: Any, left: Any, right: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return getattr(builder, name)(values[0], builder.fmul(*values[1:], flags=_CONTRACT), flags=_CONTRACT)
        return _LANES(_LANES, _LANES, _LANES), code
    return _operation(operation)


add, times, ratio = _binary("fadd"), _binary("fmul"), _binary("fdiv")
plus_product, minus_product = _product("fadd"), _product("fsub")  # base +- left x right
