"""Vectors for numba: several numbers side by side in the processor's vector registers.

numba has no vector type, and its loop vectoriser must ask before each short loop whether the arrays overlap. An
intrinsic that reads and writes arrays through `VectorArray` writes the vector instructions itself; LLVM splits vectors
for registers of any width.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["CONTRACT", "VectorArray", "operation", "splat"]

CONTRACT = ("contract",)  # a product and a sum may become one instruction


def operation(write: Any) -> Any:
    """numba's `intrinsic`, without its claim that the typing context must be passed."""
    return intrinsic(write)


class VectorArray:
    """An array as rows of ``lanes`` numbers, while instructions are written; bounds are not checked.

    ``kind`` and ``array`` are numba's type and value of a contiguous array, rows and indices values of LLVM's.
    """

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any, lanes: int) -> None:
        self.builder, self.lanes = builder, lanes
        self.data = cgutils.create_struct_proxy(kind)(context, builder, array).data
        self.item_bytes: int = kind.dtype.bitwidth // 8
        self.vector = ir.VectorType(context.get_value_type(kind.dtype), lanes)

    def load(self, row: Any, aligned: bool = False) -> Any:
        return self.load_from(self.builder.mul(row, ir.Constant(row.type, self.lanes)), aligned)

    def store(self, value: Any, row: Any, aligned: bool = False) -> None:
        self.store_at(value, self.builder.mul(row, ir.Constant(row.type, self.lanes)), aligned)

    def load_from(self, index: Any, aligned: bool = False) -> Any:
        """The vector that begins with the number at ``index``; ``aligned``: at a multiple of the vector's size."""
        return self.builder.load(self._vector_at(index), align=self._align(aligned))

    def store_at(self, value: Any, index: Any, aligned: bool = False) -> None:
        self.builder.store(value, self._vector_at(index), align=self._align(aligned))

    def number(self, index: Any) -> Any:
        return self.builder.load(self.builder.gep(self.data, [index]))

    def _vector_at(self, index: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(self.data, [index]), self.vector.as_pointer())

    def _align(self, aligned: bool) -> int:
        return self.item_bytes * self.lanes if aligned else self.item_bytes


def splat(builder: Any, value: Any, vector: Any) -> Any:
    """One number in all lanes of a vector of this type."""
    none = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(none, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, none, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))
