"""Chance that can be asked for at any place: a hash of a key and an index, never a running state.

The market must be the same after a kill, on another machine and when it is read backwards, so
nothing here walks: each number is SplitMix64 of (key, index). Only integer arithmetic and exact
floating point products are used, because sums and exponentials differ between processors.
"""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_UNIT = 2.0**-53
_WORD = (1 << 64) - 1


def key(*parts: object) -> int:
    """Return the 63-bit key of a kind of chance, such as (seed, symbol, "price")."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def words(of: int, index: Ints) -> npt.NDArray[np.uint64]:
    """Return 64 random bits for each index."""
    z = index.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(of)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
    return z ^ (z >> np.uint64(31))


def uniform(of: int, index: Ints) -> Floats:
    """Return a number in [0, 1) for each index."""
    return (words(of, index) >> np.uint64(11)).astype(np.float64) * _UNIT


def share(of: int, index: int) -> float:
    """Return what `uniform` returns, for one index: an array of one takes many times as long."""
    z = (index * _GOLDEN + of) & _WORD
    z = ((z ^ (z >> 30)) * _FIRST) & _WORD
    z = ((z ^ (z >> 27)) * _SECOND) & _WORD
    return ((z ^ (z >> 31)) >> 11) * _UNIT


def below(of: int, index: Ints, bound: Ints | int) -> Ints:
    """Return an integer in [0, bound) for each index; 0 where the bound is not positive."""
    limit = np.maximum(bound, 1)
    found: Ints = np.minimum((uniform(of, index) * limit).astype(np.int64), limit - 1)
    return found


def bell(of: int, index: Ints) -> Floats:
    """Return nearly normal numbers, mean 0 and deviation 1, never beyond 3.5."""
    total = uniform(of, index * 4)
    for lane in range(1, 4):
        total = total + uniform(of, index * 4 + lane)
    return (total - 2.0) * 1.7320508075688772


def wave(of: int, at: Floats) -> Floats:
    """Return smooth noise in [-1, 1]: random at the integers, eased between them."""
    cell = np.floor(at)
    part = at - cell
    index = cell.astype(np.int64)
    before, after = uniform(of, index), uniform(of, index + 1)
    eased = part * part * (3.0 - 2.0 * part)
    return (before + (after - before) * eased) * 2.0 - 1.0
