"""The hash of a file that grows: taken from the file itself, and brought forward in the background.

A loop that hashed all that it appends would spend as long on that as on encoding it. Nothing is
locked: how far the hash has come is one pair, put in place whole. Whoever needs it to the end goes
on from there; at worst a piece is hashed twice.
"""

import hashlib
import os

HASH_BYTES = 32
PIECE_BYTES = 1 << 18


class Digest:
    """The blake2b of one segment, as far as anybody has come."""

    def __init__(self) -> None:
        self._known = 0, hashlib.blake2b(digest_size=HASH_BYTES)

    def upto(self, fd: int, size: int) -> bytes:
        """Return the hash of the first bytes of a file that holds at least as many."""
        at, found = self._known
        found = found.copy()
        piece = memoryview(bytearray(min(PIECE_BYTES, max(0, size - at))))
        while at < size:
            read = os.preadv(fd, [piece[: size - at]], at)
            if not read:
                raise OSError(f"the file ends at {at}, and {size} bytes were written to it")
            found.update(piece[:read])
            at += read
            self._known = at, found.copy()
        return found.digest()
