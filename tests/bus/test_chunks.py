"""Bars and ticks in compressed columns: exact for all numbers, checked, and small."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.chunks import (
    BARS,
    BARS_MAX,
    TICKS,
    TICKS_MAX,
    Chunk,
    Sealed,
    canonical_bytes,
    canonical_hash,
    decode_bars,
    decode_columns,
    decode_ticks,
    encode_bars,
    encode_ticks,
)
from bus.errors import ShardError
from bus.packing import Ints

LEAST, MOST = -(1 << 63), (1 << 63) - 1

number = st.one_of(
    st.integers(LEAST, MOST),
    st.integers(-5, 5),
    st.sampled_from((LEAST, LEAST + 1, -1, 0, 1, MOST - 1, MOST)),
    st.integers(-(10**6), 10**6).map(lambda n: n * 10**12),
)


def bars_of(count: int, seed: int = 1, volume_step: int = 1) -> Ints:
    """Return a random walk of bars whose quote volume is close to volume times price."""
    rng = np.random.default_rng(seed)
    close = 6_000_000 + np.cumsum(rng.normal(0, 600, count)).astype(np.int64)
    open_ = np.append(close[:1], close[:-1])
    high = np.maximum(open_, close) + np.abs(rng.normal(0, 300, count)).astype(np.int64)
    low = np.minimum(open_, close) - np.abs(rng.normal(0, 300, count)).astype(np.int64)
    volume = rng.lognormal(10, 1, count).astype(np.int64) * volume_step
    quote = volume * ((open_ + close) // 2) // 1000
    trades = rng.poisson(200, count)
    keys = (3 << 26) + 9 * 512 + np.arange(count)
    columns = (keys, open_, high, low, close, volume, quote, trades, np.ones(count))
    return np.array(columns, dtype=np.int64).T


def ticks_of(count: int) -> Ints:
    """Return ticks some milliseconds apart, now and then with an id that is missing."""
    rng = np.random.default_rng(2)
    keys = (4 << 44) + 1000 + np.cumsum(rng.geometric(0.99, count))
    times = (1_767_225_600_000 + np.cumsum(rng.integers(0, 900, count))) * 1_000_000
    prices = 6_000_000 + np.cumsum(rng.normal(0, 40, count))
    quantities = rng.lognormal(10, 1, count)
    columns = (keys, times, prices, quantities, rng.integers(0, 1, count, endpoint=True))
    return np.array([column.astype(np.int64) for column in columns]).T


def sealed(*chunks: Chunk) -> list[Sealed]:
    return [(chunk.codec, chunk.crc, chunk.body) for chunk in chunks]


def chunks_of(rows: Ints) -> list[Chunk]:
    ends = np.flatnonzero(np.diff(rows[:, 0] >> 9)) + 1
    return [encode_bars(part) for part in np.split(rows, ends)]


@st.composite
def bar_rows(draw: st.DrawFn) -> Ints:
    places = sorted(draw(st.sets(st.integers(0, BARS_MAX - 1), min_size=1, max_size=40)))
    values = draw(
        st.lists(
            st.lists(number, min_size=8, max_size=8),
            min_size=len(places),
            max_size=len(places),
        )
    )
    base = draw(st.sampled_from((0, 512, (65535 << 26) + (1 << 26) - 512)))
    rows = [[base + place, *row] for place, row in zip(places, values, strict=True)]
    return np.array(rows, dtype=np.int64)


@st.composite
def tick_rows(draw: st.DrawFn) -> Ints:
    keys = sorted(draw(st.sets(st.integers(0, MOST), min_size=1, max_size=40)))
    values = draw(
        st.lists(st.lists(number, min_size=4, max_size=4), min_size=len(keys), max_size=len(keys))
    )
    rows = [[key, *row] for key, row in zip(keys, values, strict=True)]
    return np.array(rows, dtype=np.int64)


@given(bar_rows())
@settings(max_examples=150, deadline=None)
def test_any_bars_come_back_as_they_were(rows: Ints) -> None:
    chunk = encode_bars(rows)
    assert (chunk.k, chunk.n) == (rows[0, 0] >> 9, len(rows))
    assert (chunk.first, chunk.last) == (rows[0, 0], rows[-1, 0])
    assert np.array_equal(decode_bars(sealed(chunk)), rows)


@given(tick_rows())
@settings(max_examples=150, deadline=None)
def test_any_ticks_come_back_as_they_were(rows: Ints) -> None:
    chunk = encode_ticks(rows)
    assert (chunk.k, chunk.last, chunk.n) == (rows[0, 0], rows[-1, 0], len(rows))
    assert np.array_equal(decode_ticks(sealed(chunk)), rows)


@given(st.lists(bar_rows(), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_each_column_of_many_chunks_is_decoded_alone(parts: list[Ints]) -> None:
    chunks = sealed(*(encode_bars(rows) for rows in parts))
    whole = np.concatenate(parts)
    for place, name in enumerate(BARS):
        (column,) = decode_columns(chunks, name)
        assert np.array_equal(column, whole[:, place])


@pytest.mark.parametrize("count", [1, 7, 8, 9, 511, 512, 513, 20_000])
def test_few_and_many_chunks_are_decoded_to_the_same_bars(count: int) -> None:
    rows = bars_of(count)
    chunks = chunks_of(rows)
    assert np.array_equal(decode_bars(sealed(*chunks)), rows)
    one_by_one = [decode_bars(sealed(chunk)) for chunk in chunks]
    assert np.array_equal(np.concatenate(one_by_one), rows)


def test_chunks_with_absent_bars_lie_beside_full_ones() -> None:
    rows = bars_of(40 * 512)
    rows = rows[np.random.default_rng(5).random(len(rows)) > 0.001]
    chunks = sealed(*chunks_of(rows))
    assert np.array_equal(decode_bars(chunks), rows)
    close, open_ = decode_columns(chunks, "c", "o")
    assert np.array_equal(close, rows[:, 4])
    assert np.array_equal(open_, rows[:, 1])


def test_a_full_chunk_of_ticks_comes_back_as_it_was() -> None:
    rows = ticks_of(TICKS_MAX)
    chunk = encode_ticks(rows)
    assert np.array_equal(decode_ticks(sealed(chunk)), rows)
    assert len(chunk.body) / TICKS_MAX < 10


def test_nothing_is_decoded_to_nothing() -> None:
    assert decode_bars([]).shape == (0, len(BARS))
    assert decode_ticks([]).shape == (0, len(TICKS))
    assert [len(column) for column in decode_columns([], "c", "v")] == [0, 0]


def test_a_candle_takes_less_than_ten_bytes() -> None:
    rows = bars_of(30 * 512)
    assert sum(len(chunk.body) for chunk in chunks_of(rows)) / len(rows) < 10


def test_zeros_at_the_end_of_all_numbers_of_a_column_cost_nothing() -> None:
    plain, padded = (bars_of(512, volume_step=step) for step in (1, 10**8))
    plain[:, 6] = padded[:, 6] = 0
    widths = [sum(len(chunk.body) for chunk in chunks_of(rows)) for rows in (plain, padded)]
    assert widths[0] == widths[1]


@pytest.mark.parametrize("encode", [encode_bars, encode_ticks])
def test_a_flipped_bit_anywhere_is_found(encode: Any) -> None:
    rows = bars_of(60) if encode is encode_bars else ticks_of(60)
    decode: Any = decode_bars if encode is encode_bars else decode_ticks
    codec, crc, body = sealed(encode(rows))[0]
    for bit in range(0, len(body) * 8, 11):
        spoiled = bytearray(body)
        spoiled[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(ShardError, match=r"damaged.*Move the archive away"):
            decode([(codec, crc, bytes(spoiled))])


def test_a_body_that_was_cut_is_found() -> None:
    codec, crc, body = sealed(encode_bars(bars_of(512)))[0]
    for length in (0, 10, 300, len(body) - 1):
        with pytest.raises(ShardError, match="damaged"):
            decode_bars([(codec, crc, body[:length])])


def test_what_is_not_asked_for_is_not_read() -> None:
    rows = bars_of(512)
    codec, crc, body = sealed(encode_bars(rows))[0]
    spoiled = body[:-1] + bytes([body[-1] ^ 1])  # The last bytes are of the trades.
    (close,) = decode_columns([(codec, crc, spoiled)], "c")
    assert np.array_equal(close, rows[:, 4])
    with pytest.raises(ShardError, match="damaged"):
        decode_columns([(codec, crc, spoiled)], "n")


def test_a_codec_of_newer_code_is_refused_with_what_to_do() -> None:
    _, crc, body = sealed(encode_bars(bars_of(5)))[0]
    with pytest.raises(ShardError, match=r"codec 99.*Update this checkout"):
        decode_bars([(99, crc, body)])
    with pytest.raises(ShardError, match="codec 1, this code reads 2"):
        decode_ticks([(1, crc, body)])


def test_bytes_of_a_codec_never_change() -> None:
    n = np.arange(512)
    close = 6_000_000 + n * n % 997
    volume = n * 7919 % 1009 * 100
    prices = (close - n % 13, close + n % 29 + 13, close - n % 31 - 13, close)
    quote = volume * close // 10_000
    bars = np.array([512 + n, *prices, volume, quote, n % 7, n % 2], dtype=np.int64).T
    ticks = np.array([n * 3, n * n, prices[0], volume + 1, n % 2], dtype=np.int64).T
    assert encode_bars(bars).crc == 2601573202
    assert encode_ticks(ticks).crc == 640144867  # A head holds the crc of all that follows it.


def test_the_canonical_hash_is_that_of_the_rows() -> None:
    rows = bars_of(1500)
    whole, parts = canonical_hash(), canonical_hash()
    whole.update(canonical_bytes(rows))
    for chunk in chunks_of(rows):
        parts.update(canonical_bytes(decode_bars(sealed(chunk))))
    assert whole.digest() == parts.digest()
