"""As many points of a curve as a picture shows: its ends, and of every stretch its extremes."""

from collections.abc import Sequence

import numpy as np

POINTS_OF_A_STRETCH = 4


def thinned(values: Sequence[float], points_max: int) -> list[int]:
    """Return the places of the points to keep, in order; all of them where they are few."""
    count = len(values)
    if count <= points_max:
        return list(range(count))
    edges = np.linspace(0, count, points_max // POINTS_OF_A_STRETCH + 1).astype(int)
    whole = np.asarray(values)
    kept: set[int] = set()
    for first, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = whole[first:stop]
        kept |= {first, stop - 1, first + int(part.argmin()), first + int(part.argmax())}
    return sorted(kept)
