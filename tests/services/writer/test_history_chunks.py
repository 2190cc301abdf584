"""Chunk files: their name is the hash of their bars, and a wrong bit is found."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.errors import ShardError
from services.writer.history_chunks import (
    COLUMNS,
    Chunk,
    digest,
    in_order,
    pack,
    read_chunk,
    write_chunk,
)
from tests.services.writer.history_desk import chunk, origin

INT64 = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(INT64, min_size=8, max_size=8), min_size=1, max_size=12))
def test_a_chunk_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, bars: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("chunks")
    one = Chunk("É/₿ x", "1m", (2, 8, 0), np.array(bars, np.int64).T)
    name = write_chunk(folder, one, origin(7, replace=True))
    found, told = read_chunk(folder / f"{name}.chunk")
    assert (found.symbol, found.exponents, told) == (
        one.symbol,
        one.exponents,
        origin(7, replace=True),
    )
    assert found.columns.shape == (len(COLUMNS), len(bars))
    assert (found.columns == one.columns).all()


def test_the_name_tells_of_the_bars_and_not_of_where_they_came_from(tmp_path: Path) -> None:
    assert write_chunk(tmp_path, chunk(), origin(1)) == write_chunk(tmp_path, chunk(), origin(2))
    others = [chunk(19), chunk(step=1), chunk(symbol="X/Y"), chunk(exponents=(3, 3, 4))]
    assert len({digest(one) for one in (chunk(), *others)}) == 5


def test_every_damaged_byte_of_a_chunk_is_found(tmp_path: Path) -> None:
    name = write_chunk(tmp_path, chunk(3), origin())
    path = tmp_path / f"{name}.chunk"
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(ShardError, match="is no chunk of bars that can be read"):
            read_chunk(path)
    for end in (0, 7, 20, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ShardError, match="is no chunk of bars that can be read"):
            read_chunk(path)


def test_a_chunk_under_another_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ("0" * 64 + ".chunk")
    path.write_bytes(pack(chunk(), origin()))
    with pytest.raises(ShardError, match="something else than its name says"):
        read_chunk(path)


def test_chunks_are_taken_again_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    names = [write_chunk(tmp_path, chunk(n), origin(9 - n)) for n in (1, 2, 3)]
    assert [path.stem for path in in_order(tmp_path)] == names[::-1]
