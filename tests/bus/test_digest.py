"""The hash of a growing file is that of its bytes, however far anybody had come before."""

import hashlib
import os
import threading
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.digest import HASH_BYTES, PIECE_BYTES, Digest
from bus.disk import write_whole


def hash_of(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=HASH_BYTES).digest()


@given(parts=st.lists(st.binary(max_size=200), min_size=1, max_size=8))
def test_the_hash_of_each_length_is_that_of_its_bytes(parts: list[bytes]) -> None:
    digest, written = Digest(), b""
    with TemporaryFile(buffering=0) as file:
        for part in parts:
            write_whole(file.fileno(), part)
            written += part
            for _ in range(2):
                assert digest.upto(file.fileno(), len(written)) == hash_of(written)


def test_two_that_hash_at_once_come_to_the_same(tmp_path: Path) -> None:
    data = os.urandom(1 << 16) * 48
    path = tmp_path / "segment"
    path.write_bytes(data)
    fd, digest, found = os.open(path, os.O_RDONLY), Digest(), []
    threads = [
        threading.Thread(target=lambda: found.append(digest.upto(fd, len(data)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(fd)
    assert found == [hash_of(data)] * 4


def test_a_file_that_was_cut_under_it_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(bytes(PIECE_BYTES + 1))
    fd, digest = os.open(path, os.O_RDWR), Digest()
    digest.upto(fd, PIECE_BYTES)
    os.ftruncate(fd, PIECE_BYTES)
    with pytest.raises(OSError, match=f"ends at {PIECE_BYTES}"):
        digest.upto(fd, PIECE_BYTES + 1)
    os.close(fd)
