"""Steps of Fourier transforms as vector instructions, for numba.

Arrays of rows are flat. A row is a vector of real parts and one of imaginary parts, `ROW_BYTES` together: as many
numbers side by side as that holds, each of a transform of its own. Steps turn as many rows as their radix, ``at``,
``at + gap``, ... of ``source``, into rows ``to``, ``to + gap``, ... of ``target``. Arrays of rows begin at a multiple
of `ROW_BYTES`; bounds are not checked.

A transform of length r m is r transforms of length m of rows that `split` has combined and then turned by twiddles;
`join` undoes this. `finish` and `begin` are the same without twiddles, for m = 1, and `weigh` is ``finish``, a product
with a real spectrum, and ``begin``. Transforms back are those forth with real and imaginary parts exchanged.
"""

from __future__ import annotations

import cmath
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from llvmlite import ir
from numba import types

from nichedose.fields.lanes import VectorArray, operation, splat

__all__ = ["RADICES", "ROW_BYTES", "begin", "finish", "join", "pack", "split", "transpose", "unpack", "weigh"]

RADICES = (1, 2, 3, 4, 5)
ROW_BYTES = 64  # two registers of most processors, one line of the cache
_FAST = ("contract", "nsz")  # a sum with a zero that was left out is no sum
_INDEX = ir.IntType(64)
_ZERO, _ONE = ir.Constant(_INDEX, 0), ir.Constant(_INDEX, 1)
_i = types.intp


class _Number:
    """Complex numbers side by side, while the instructions for them are written."""

    def __init__(self, builder: Any, re: Any, im: Any) -> None:
        self.builder, self.re, self.im = builder, re, im

    def __add__(self, other: _Number) -> _Number:
        return self._pair("fadd", self.re, other.re, "fadd", self.im, other.im)

    def __sub__(self, other: _Number) -> _Number:
        return self._pair("fsub", self.re, other.re, "fsub", self.im, other.im)

    def plus_i(self, other: _Number) -> _Number:
        return self._pair("fsub", self.re, other.im, "fadd", self.im, other.re)

    def minus_i(self, other: _Number) -> _Number:
        return self._pair("fadd", self.re, other.im, "fsub", self.im, other.re)

    def scaled(self, by: Any) -> _Number:
        factor = ir.Constant(self.re.type, [by] * self.re.type.count) if isinstance(by, float) else by
        return self._pair("fmul", self.re, factor, "fmul", self.im, factor)

    def turned(self, cosine: Any, sine: Any) -> _Number:
        along, across = self.scaled(cosine), self.scaled(sine)
        return along.plus_i(across)

    def exchanged(self) -> _Number:
        return _Number(self.builder, self.im, self.re)

    def _pair(self, first: str, a: Any, b: Any, second: str, c: Any, d: Any) -> _Number:
        write = self.builder
        return _Number(write, getattr(write, first)(a, b, flags=_FAST), getattr(write, second)(c, d, flags=_FAST))


def _transform(x: Sequence[_Number]) -> list[_Number]:
    """Sums of x[j] exp(-2 pi i j k / n) over j, n up to 5."""
    if len(x) == 1:
        return list(x)
    if len(x) == 2:
        return [x[0] + x[1], x[0] - x[1]]
    if len(x) == 3:
        both, apart = x[1] + x[2], (x[1] - x[2]).scaled(0.75**0.5)
        middle = x[0] - both.scaled(0.5)
        return [x[0] + both, middle.minus_i(apart), middle.plus_i(apart)]
    if len(x) == 4:
        a, b, c, d = x[0] + x[2], x[0] - x[2], x[1] + x[3], x[1] - x[3]
        return [a + c, b.minus_i(d), a - c, b.plus_i(d)]
    w, v = cmath.exp(0.4j * cmath.pi), cmath.exp(0.8j * cmath.pi)
    a, b, c, d = x[1] + x[4], x[2] + x[3], x[1] - x[4], x[2] - x[3]
    p, q = x[0] + a.scaled(w.real) + b.scaled(v.real), x[0] + a.scaled(v.real) + b.scaled(w.real)
    r, s = c.scaled(w.imag) + d.scaled(v.imag), c.scaled(v.imag) - d.scaled(w.imag)
    return [x[0] + a + b, p.minus_i(r), q.minus_i(s), q.plus_i(s), p.plus_i(r)]


class _Rows(VectorArray):
    def __init__(self, context: Any, builder: Any, signature: Any, values: Any, which: int) -> None:
        kind = signature.args[which]
        super().__init__(context, builder, kind, values[which], ROW_BYTES * 8 // 2 // kind.dtype.bitwidth)

    def after(self, index: Any, step: Any, times: int) -> Any:
        """``index + times step``."""
        return self.builder.add(index, self.builder.mul(step, ir.Constant(_INDEX, times))) if times else index

    def read(self, row: Any) -> _Number:
        re = self.after(_ZERO, row, 2)
        return _Number(self.builder, *(self.load(self.after(re, _ONE, i), aligned=True) for i in (0, 1)))

    def write(self, value: _Number, row: Any) -> None:
        re = self.after(_ZERO, row, 2)
        for i, part in enumerate((value.re, value.im)):
            self.store(part, self.after(re, _ONE, i), aligned=True)

    def turn(self, value: _Number, first: Any, entry: int = 0) -> _Number:
        """Turned by a pair of cosine and sine in this array, ``entry`` pairs after index ``first``."""
        pair = (self.number(self.after(first, _ONE, 2 * entry + i)) for i in (0, 1))
        return value.turned(*(splat(self.builder, number, self.vector) for number in pair))


def _choose(builder: Any, key: Any, codes: dict[int, Callable[[], None]]) -> None:
    """Write all ``codes`` and the choice among them."""
    end = builder.append_basic_block("end")
    choice = builder.switch(key, end)
    for value, write in codes.items():
        block = builder.append_basic_block(f"key{value}")
        choice.add_case(ir.Constant(_INDEX, value), block)
        builder.position_at_end(block)
        write()
        builder.branch(end)
    builder.position_at_end(end)


def _choose_radix(builder: Any, radix: Any, write: Callable[[int], None]) -> None:
    _choose(builder, radix, {r: partial(write, r) for r in RADICES})


def _choose_some(builder: Any, radix: Any, some: Any, write: Callable[[int, int], None]) -> None:
    key = builder.add(builder.mul(radix, ir.Constant(_INDEX, 8)), some)
    _choose(builder, key, {8 * r + n: partial(write, r, n) for r in RADICES for n in range(r + 1)})


@operation
def split(typing: Any, radix: Any, some: Any, source: Any, at: Any, target: Any, to: Any, gap: Any, twiddles: Any,
          first: Any) -> Any:
    """``some``: of the radix rows of ``source`` those from there on are zeros and not read."""
    def code(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        rows, out, table = (_Rows(context, builder, signature, v, i) for i in (2, 4, 7))
        zero = _Number(builder, *(2 * [ir.Constant(rows.vector, [0.0] * rows.lanes)]))

        def write(r: int, n: int) -> None:
            x = [rows.read(rows.after(v[3], v[6], t)) for t in range(n)]
            for s, y in enumerate(_transform(x + [zero] * (r - n))):
                out.write(table.turn(y, v[8], s - 1) if s else y, out.after(v[5], v[6], s))

        _choose_some(builder, v[0], v[1], write)
        return context.get_dummy_value()
    return types.void(_i, _i, source, _i, target, _i, _i, twiddles, _i), code


@operation
def join(typing: Any, radix: Any, some: Any, source: Any, at: Any, target: Any, to: Any, gap: Any, twiddles: Any,
         first: Any) -> Any:
    """``some``: of the radix rows of ``target`` those from there on are not written."""
    def code(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        rows, out, table = (_Rows(context, builder, signature, v, i) for i in (2, 4, 7))

        def write(r: int, n: int) -> None:
            x = [rows.read(rows.after(v[3], v[6], s)).exchanged() for s in range(r)]
            y = _transform([table.turn(z, v[8], s - 1) if s else z for s, z in enumerate(x)])
            for t in range(n):
                out.write(y[t].exchanged(), out.after(v[5], v[6], t))

        _choose_some(builder, v[0], v[1], write)
        return context.get_dummy_value()
    return types.void(_i, _i, source, _i, target, _i, _i, twiddles, _i), code


@operation
def finish(typing: Any, radix: Any, rows: Any, row: Any, target: Any, to: Any, stride: Any) -> Any:
    """From neighbouring rows to rows that are ``stride`` apart."""
    def code(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        here, out = (_Rows(context, builder, signature, v, i) for i in (1, 3))

        def write(r: int) -> None:
            for s, y in enumerate(_transform([here.read(here.after(v[2], _ONE, t)) for t in range(r)])):
                out.write(y, out.after(v[4], v[5], s))

        _choose_radix(builder, v[0], write)
        return context.get_dummy_value()
    return types.void(_i, rows, _i, target, _i, _i), code


@operation
def begin(typing: Any, radix: Any, source: Any, at: Any, stride: Any, rows: Any, row: Any) -> Any:
    """From rows that are ``stride`` apart to neighbouring rows."""
    def code(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        there, out = (_Rows(context, builder, signature, v, i) for i in (1, 4))

        def write(r: int) -> None:
            for t, y in enumerate(_transform([there.read(there.after(v[2], v[3], s)).exchanged() for s in range(r)])):
                out.write(y.exchanged(), out.after(v[5], _ONE, t))

        _choose_radix(builder, v[0], write)
        return context.get_dummy_value()
    return types.void(_i, source, _i, _i, rows, _i), code


@operation
def weigh(typing: Any, radix: Any, rows: Any, row: Any, spectrum: Any, base: Any, fold: Any) -> Any:
    """Neighbouring rows in place; the one at s is weighed by the vector ``base`` + fold[s] of ``spectrum``."""
    def code(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        here, weights, order = (_Rows(context, builder, signature, v, i) for i in (1, 3, 5))

        def write(r: int) -> None:
            places = [here.after(v[2], _ONE, s) for s in range(r)]
            y = _transform([here.read(place) for place in places])
            for s, place in enumerate(places):
                weight = weights.load(builder.add(v[4], order.number(place)))
                y[s] = y[s].scaled(weight).exchanged()
            for x, place in zip(_transform(y), places, strict=True):
                here.write(x.exchanged(), place)

        _choose_radix(builder, v[0], write)
        return context.get_dummy_value()
    return types.void(_i, rows, _i, spectrum, _i, fold), code


@operation
def transpose(typing: Any, source: Any, at: Any, target: Any, to: Any) -> Any:
    """A square of numbers: of as many rows as lanes each number becomes a lane, each lane a row."""
    def code(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        rows, out = (_Rows(context, builder, signature, v, i) for i in (0, 2))
        n = rows.lanes
        x = [rows.read(rows.after(v[1], _ONE, t)) for t in range(n)]
        half = n // 2
        while half:  # blocks of this size change places across the diagonal
            low = [k if not k & half else n + k - half for k in range(n)]
            high = [k + half if not k & half else n + k for k in range(n)]
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), n), order) for order in (low, high)]
            y = list(x)
            for t in (t for t in range(n) if not t & half):
                a, b = x[t], x[t + half]
                for place, mask in zip((t, t + half), masks, strict=True):
                    parts = (builder.shuffle_vector(*pair, mask) for pair in ((a.re, b.re), (a.im, b.im)))
                    y[place] = _Number(builder, *parts)
            x, half = y, half // 2
        for t in range(n):
            out.write(x[t], out.after(v[3], _ONE, t))
        return context.get_dummy_value()
    return types.void(source, _i, target, _i), code


@operation
def pack(typing: Any, field: Any, near: Any, far: Any, both: Any, rows: Any, row: Any, twist: Any) -> Any:
    """Row ``row``: numbers from index ``near`` on, less i times those from ``far`` on if ``both``, turned by twist."""
    def code(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        numbers, out, table = (_Rows(context, builder, signature, v, i) for i in (0, 4, 6))
        first = table.after(_ZERO, v[5], 2)

        def write(two: bool) -> None:
            nothing = ir.Constant(numbers.vector, [0.0] * numbers.lanes)
            far = _Number(builder, nothing, numbers.load_from(v[2])) if two else _Number(builder, nothing, nothing)
            near = _Number(builder, numbers.load_from(v[1]), nothing)
            out.write(table.turn(near - far, first), v[5])

        _choose(builder, v[3], {0: lambda: write(False), 1: lambda: write(True)})
        return context.get_dummy_value()
    return types.void(field, _i, _i, _i, rows, _i, twist), code


@operation
def unpack(typing: Any, rows: Any, row: Any, twist: Any, field: Any, near: Any, far: Any, both: Any) -> Any:
    """What `pack` did, backwards."""
    def code(context: Any, builder: Any, signature: Any, v: Any) -> Any:
        there, table, numbers = (_Rows(context, builder, signature, v, i) for i in (0, 2, 3))
        first = table.after(_ZERO, v[1], 2)
        value = table.turn(there.read(v[1]).exchanged(), first).exchanged()
        numbers.store_at(value.re, v[4])
        _choose(builder, v[6], {1: lambda: numbers.store_at(builder.fneg(value.im), v[5])})
        return context.get_dummy_value()
    return types.void(rows, _i, twist, field, _i, _i, _i), code
