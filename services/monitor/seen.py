"""Which ids were heard before, in eight bytes each, so that years of orders fit."""

from array import array
from bisect import bisect_left
from collections import defaultdict
from hashlib import blake2b

BUCKETS = 256


class Seen:
    """A set of texts that only grows; that two of a million look the same has odds of 1 to 10^7."""

    def __init__(self) -> None:
        self._buckets: dict[int, array[int]] = defaultdict(lambda: array("Q"))

    def add(self, *parts: str) -> bool:
        """Take an id; False when it was taken before."""
        digest = int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8).digest())
        bucket = self._buckets[digest % BUCKETS]
        place = bisect_left(bucket, digest)
        if place < len(bucket) and bucket[place] == digest:
            return False
        bucket.insert(place, digest)
        return True
