"""The synthetic market: any day by itself, neighbours that meet, ids without a hole."""

import numpy as np
import pytest

from services.venue.columns import DAY_MS, MINUTE_MS
from services.venue.synthetic import GENESIS_DAY, MINUTES, Synthetic

DAY = 20_400
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
IDS = [name.replace("/", "") for name in SYMBOLS]
KNOWN_PRICES = (7_106_989, 7_049_734)
KNOWN_VOLUME = 2_452_457_714
NOW_MS = DAY * DAY_MS + 9 * 3_600_000 + 12_345


def market(
    seed: int = 7, first_day: int = DAY - 30, symbols: tuple[str, ...] = SYMBOLS
) -> Synthetic:
    return Synthetic(seed, symbols, first_day)


@pytest.mark.parametrize("symbol", IDS)
def test_days_meet_and_every_minute_of_them_trades(symbol: str) -> None:
    one = market()
    before, after = one.bars(symbol, DAY - 1), one.bars(symbol, DAY)
    assert len(before.open_ms) == MINUTES and before.count.min() >= 1
    assert after.open_ms[0] - before.open_ms[-1] == MINUTE_MS
    assert abs(int(after.open[0]) - int(before.close[-1])) <= 1


@pytest.mark.parametrize("symbol", IDS)
def test_trade_ids_follow_each_other_across_days(symbol: str) -> None:
    one = market()
    before, after = one.day_tape(symbol, DAY - 1), one.day_tape(symbol, DAY)
    assert before.first_id + len(before) == after.first_id
    assert one.day_of_id(symbol, after.first_id) == DAY
    assert one.day_of_id(symbol, after.first_id - 1) == DAY - 1


@pytest.mark.parametrize("symbol", IDS)
def test_the_bars_of_a_day_are_the_fold_of_its_trades(symbol: str) -> None:
    one = market()
    bars, tape = one.bars(symbol, DAY), one.day_tape(symbol, DAY)
    starts = np.cumsum(bars.count) - bars.count
    assert (tape.px[starts] == bars.open).all()
    assert (np.maximum.reduceat(tape.px, starts) == bars.high).all()
    assert (np.minimum.reduceat(tape.px, starts) == bars.low).all()
    assert (tape.px[starts + bars.count - 1] == bars.close).all()
    assert (np.add.reduceat(tape.qty, starts) == bars.volume).all()
    assert (np.repeat(bars.open_ms, bars.count) == tape.at_ms // MINUTE_MS * MINUTE_MS).all()


def test_the_market_does_not_depend_on_when_it_was_opened_or_what_else_is_listed() -> None:
    one, other = market(), market(first_day=DAY - 3, symbols=("SOL/USDT", "BTC/USDT"))
    other.day_tape("BTCUSDT", DAY + 5)
    for column in ("at_ms", "px", "qty", "maker"):
        left, right = (getattr(m.day_tape("BTCUSDT", DAY), column) for m in (one, other))
        assert left.tolist() == right.tolist()


def test_a_known_day_of_seed_seven_stays_what_it_is() -> None:
    tape = market().day_tape("BTCUSDT", DAY)
    assert (len(tape), tape.first_id) == (28_800, (DAY - GENESIS_DAY) * 28_800 + 1)
    assert (int(tape.px[0]), int(tape.px[-1])) == KNOWN_PRICES
    assert int(tape.qty.sum()) == KNOWN_VOLUME


def test_another_seed_is_another_market() -> None:
    left, right = (market(seed).day_tape("BTCUSDT", DAY) for seed in (7, 8))
    assert left.px.tolist() != right.px.tolist()


def test_a_symbol_that_is_not_listed_gets_a_market_by_its_name() -> None:
    one = market(symbols=("DOGE/USDT",))
    assert len(one.day_tape("DOGEUSDT", DAY)) > MINUTES
    assert one.bars("DOGEUSDT", DAY).low.min() > 0


def test_volatility_comes_in_clusters_and_has_fat_tails() -> None:
    one = market()
    close = np.concatenate([one.bars("BTCUSDT", DAY - n).close for n in range(20, 0, -1)])
    moves = np.diff(close) / close[:-1]
    kurtosis = ((moves - moves.mean()) ** 4).mean() / moves.var() ** 2
    size = np.abs(moves)
    assert kurtosis > 5
    assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.1
    assert np.corrcoef(size[60:], size[:-60])[0, 1] > 0.05


def test_any_stretch_of_the_tape_is_the_same_by_time_by_id_and_from_the_end() -> None:
    one = market()
    day = one.tape("ETHUSDT", NOW_MS - 2 * DAY_MS, NOW_MS)
    by_id = one.tape_from("ETHUSDT", day.first_id, len(day), NOW_MS)
    by_end = one.tape_until("ETHUSDT", len(day), NOW_MS)
    after = one.tape_after("ETHUSDT", NOW_MS - 2 * DAY_MS, len(day), NOW_MS)
    for other in (by_id, by_end, after):
        assert other.first_id == day.first_id
        assert other.at_ms.tolist() == day.at_ms.tolist()
        assert other.px.tolist() == day.px.tolist()


def test_history_has_a_beginning() -> None:
    one = market(first_day=DAY - 1)
    oldest = one.tape_from("BTCUSDT", 1, 5, NOW_MS)
    assert oldest.first_id == one.day_tape("BTCUSDT", DAY - 1).first_id
    assert len(one.tape_until("BTCUSDT", 10**6, NOW_MS)) < 2 * 28_800
    assert len(one.tape("BTCUSDT", 0, (DAY - 1) * DAY_MS)) == 0
    assert len(one.tape_from("BTCUSDT", 10**17, 5, NOW_MS)) == 0


def test_the_book_stands_around_the_last_trade_and_never_crosses() -> None:
    one = market()
    for at_ms in range(NOW_MS, NOW_MS + 600_000, 9_973):
        book = one.book("BTCUSDT", at_ms)
        last = one.tape_until("BTCUSDT", 1, at_ms + 1)
        touched = book.bids[0] if last.maker[-1] else book.asks[0]
        assert touched[0] == last.px[-1]
        bids, asks = [px for px, _ in book.bids], [px for px, _ in book.asks]
        assert bids == sorted(set(bids), reverse=True) and asks == sorted(set(asks))
        assert 0 < bids[0] < asks[0] and min(qty for _, qty in book.bids + book.asks) > 0
        assert len(bids) == len(asks) == 100


def test_changes_of_the_book_lead_from_one_to_the_next_with_ids_that_follow() -> None:
    one, at_ms = market(), NOW_MS
    book = one.book("BTCUSDT", at_ms)
    bids, asks, last_id = dict(book.bids), dict(book.asks), book.update_id
    for until_ms in range(NOW_MS + 300, NOW_MS + 30_000, 300):
        (depth,) = one.depths("BTCUSDT", at_ms, until_ms)
        assert depth.first_id == last_id + 1
        for side, changed in ((bids, depth.bids), (asks, depth.asks)):
            side.update(changed)
            for px in [px for px, qty in side.items() if qty == 0]:
                del side[px]
        at_ms, last_id = until_ms, depth.last_id
        later = one.book("BTCUSDT", at_ms)
        assert (bids, asks, last_id) == (dict(later.bids), dict(later.asks), later.update_id)
