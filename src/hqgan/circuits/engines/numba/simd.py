"""Arithmetic on rows, one vector register each, as LLVM code. `kernels` tells how a state stands in them."""

from __future__ import annotations

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils

INT = ir.IntType(64)
WIDE = llvm.get_host_cpu_features().get("avx512f", False)
BYTES = 64 if WIDE else 32
"""Of a row."""

# An operator on a bit: whether it swaps |0> and |1>, and the powers of -i with which it then writes either.
ROTATIONS = ((True, 2, 0), (True, 1, 1), (False, 1, 3))
"""What rotations about y, x, z add, times their tangents: -iY, -iX, -iZ."""
PAULIS = ((True, 0, 0), (True, 1, 3), (False, 0, 2))
"""X, Y, Z."""


def lanes(kind, complex_):
    """Numbers in a row, and the bits of a basis index that choose among them."""
    count = BYTES // kind.itemsize
    return count, count.bit_length() - 1 - complex_


def unpacked(b, sig, arguments):
    """An intrinsic's arguments as LLVM values, each named tuple as one of them."""
    return [
        kind.instance_class(*cgutils.unpack_tuple(b, value)) if isinstance(kind, types.BaseNamedTuple) else value
        for kind, value in zip(sig.args, arguments, strict=True)
    ]


class Rows:
    """Emits arithmetic on rows of a state of one kind: float32, float64, complex64, complex128.

    The kind is the type of an array of such numbers, or of a tuple that begins with one.
    """

    def __init__(self, builder, kind):
        self.b, kind = builder, (kind.types[0] if isinstance(kind, types.BaseTuple) else kind).dtype
        self.complex = isinstance(kind, types.Complex)
        real = kind.underlying_float if self.complex else kind
        self.scalar, self.size = (ir.DoubleType(), 8) if real == types.float64 else (ir.FloatType(), 4)
        self.lanes = BYTES // self.size
        self.bits = self.lanes.bit_length() - 1 - self.complex
        self.row = ir.VectorType(self.scalar, self.lanes)

    def at(self, address, count, stride):
        """The address of a place; count is a number known now."""
        return self.b.add(address, self.b.mul(stride, ir.Constant(INT, count)))

    def load(self, address):
        """The row at an address."""
        value = self.b.load(self.b.inttoptr(address, self.row.as_pointer()))
        value.align = BYTES
        return value

    def store(self, value, address):
        """Write a row."""
        self.b.store(value, self.b.inttoptr(address, self.row.as_pointer())).align = BYTES

    def number(self, address, place=0):
        """One number at an address."""
        at = self.b.add(address, ir.Constant(INT, place * self.size))
        return self.b.load(self.b.inttoptr(at, self.scalar.as_pointer()))

    def byte(self, address):
        """A byte, as an integer."""
        return self.b.zext(self.b.load(self.b.inttoptr(address, ir.IntType(8).as_pointer())), INT)

    def fill(self, value):
        """A row of one number."""
        lane = ir.Constant(ir.IntType(32), 0)
        undefined = ir.Constant(self.row, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(self.b.insert_element(undefined, value, lane), undefined, zeros)

    def constant(self, values):
        """A row of numbers known now."""
        return ir.Constant(self.row, values)

    def shuffle(self, value, order):
        """A row whose lane i is lane order[i] of another."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), order)
        return self.b.shuffle_vector(value, ir.Constant(self.row, ir.Undefined), mask)

    def fma(self, x, y, z):
        """The row x y + z."""
        kind = ir.FunctionType(self.row, [self.row] * 3)
        name = f"llvm.fma.v{self.lanes}f{8 * self.size}"
        return self.b.call(cgutils.get_or_insert_function(self.b.module, kind, name), [x, y, z])

    def totals(self, values):
        """The sum of each of some rows' numbers; neighbours are added in rows that hold those of two rows, and so on."""
        count, lanes = len(values), range(self.lanes)
        values = values + [self.constant([0.0] * self.lanes)] * (-count % self.lanes)
        found = []
        for first in range(0, count, self.lanes):
            rest = values[first : first + self.lanes]
            while len(rest) > 1:
                rest = [self._neighbours(one, two) for one, two in zip(rest[::2], rest[1::2], strict=True)]
            found += [self.b.extract_element(rest[0], ir.Constant(ir.IntType(32), lane)) for lane in lanes]
        return found[:count]

    def _neighbours(self, one, two):
        both = ir.VectorType(ir.IntType(32), self.lanes)
        even, odd = (ir.Constant(both, [2 * lane + side for lane in range(self.lanes)]) for side in (0, 1))
        return self.b.fadd(self.b.shuffle_vector(one, two, even), self.b.shuffle_vector(one, two, odd))

    def minus_i(self, value):
        """-i times the value: (re, im) to (im, -re)."""
        half = self.lanes // 2
        swapped = self.shuffle(value, [*range(half, self.lanes), *range(half)])
        return self.b.fmul(swapped, self.constant([1.0] * half + [-1.0] * half))

    def on_rows(self, operator, a, b):
        """What an operator, of `ROTATIONS` or `PAULIS`, makes of the rows of |0> and |1>."""
        swaps, *powers = operator
        return [self._times(x, power) for x, power in zip((b, a) if swaps else (a, b), powers, strict=True)]

    def _times(self, value, power):
        """The value times a power of -i."""
        value = self.minus_i(value) if power % 2 else value
        return self.b.fneg(value) if power & 2 else value

    def on_lanes(self, operator, bit):
        """The same where the bit chooses lanes: which lane's number each lane takes, and its sign."""
        swaps, *powers = operator
        order, signs = [], []
        half = self.lanes // 2 if self.complex else self.lanes
        for lane in range(self.lanes):
            power, other = powers[lane >> bit & 1], lane ^ 1 << bit if swaps else lane
            order.append((other + half) % self.lanes if power % 2 else other)
            negative = (power % 2 and lane >= half) != (power & 2 > 0)
            signs.append(-1.0 if negative else 1.0)
        return order, self.constant(signs)

    def add_products(self, at, terms, factor):
        """Add to the row at an address the sum of products of pairs of rows, times a row."""
        totals = [self.constant([0.0] * self.lanes)] * 2  # two chains, since one would wait for itself
        for i, (x, y) in enumerate(terms):
            totals[i % 2] = self.fma(x, y, totals[i % 2])
        self.store(self.fma(self.b.fadd(*totals), factor, self.load(at)), at)

    def nonzero(self, number):
        """Whether an integer is not zero."""
        return self.b.icmp_signed("!=", number, ir.Constant(INT, 0))
