"""`rrr data fetch`: bars from an exchange into its history, each asked for once, none invented."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bus.clock import SystemClock
from services.writer.history_chunks import in_order, read_chunk
from tests.services.bare import bare_house
from tests.services.rrr.answering import Services
from tests.services.rrr.candle_server import Candles, candles, row
from tests.services.rrr.data_desk import Answer, Desk, expected, lines

EXCHANGE = "binance_standin"
SPAN = ("--since", "2024-03-01", "--until", "2024-03-02")
MORE = ("12.5", "3")


@pytest.fixture
def exchange() -> Iterator[Candles]:
    with candles() as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path, exchange: Candles) -> Desk:
    found = Desk(tmp_path)
    found.environ |= {"RRR_EXCHANGE__URL": exchange.url, "RRR_HOUSE__NUMBER": "53"}
    return found


def fetch(desk: Desk, *words: str) -> Answer:
    return desk.rrr("fetch", "BTC/USDT", *SPAN, "--no-archive", "--json", *words)


def test_all_bars_of_a_span_come_in_pages(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(3000))
    answer = fetch(desk)
    assert answer.code == 0, answer.err
    (done,) = answer.json
    assert (done["pages"], done["bars"], done["added"], done["absent"]) == (3, 2880, 2880, 0)
    assert desk.bars(exchange=EXCHANGE) == expected(range(2880), more=MORE)


def test_what_is_there_is_not_asked_again(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(3000))
    desk.take(desk.write(lines(range(1000, 2000))), "--exchange", EXCHANGE)
    fetch(desk)
    asked = [(int(q["endTime"]) + 1 - int(q["startTime"])) // 60_000 for q in exchange.klines]
    assert asked == [1000, 880]
    (again,) = fetch(desk).json
    assert (again["pages"], again["absent"]) == (0, 0)


def test_gaps_of_the_exchange_are_told_and_stay(desk: Desk, exchange: Candles) -> None:
    exchange.put([n for n in range(2880) if not 100 <= n < 150 and n != 700])
    (done,) = fetch(desk).json
    assert (done["absent"], done["added"]) == (51, 2829)
    assert done["gaps"][0] == {
        "from": "2024-03-01T01:40:00Z", "to": "2024-03-01T02:29:00Z", "missing": 50,
    }  # fmt: skip
    exchange.asked.clear()
    (again,) = fetch(desk).json
    assert (again["pages"], again["absent"]) == (0, 51)
    exchange.put(range(2880))
    (late,) = fetch(desk, "--again").json
    assert (late["pages"], late["added"], late["absent"]) == (1, 51, 0)


def test_nothing_is_asked_of_before_the_listing(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(2000, 2880))
    (done,) = fetch(desk).json
    assert (done["pages"], done["since"]) == (1, "2024-03-02T09:20:00Z")
    assert done["absent"] == 0


def test_the_newest_bars_come_first_where_wanted(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(2880))
    fetch(desk, "--newest-first")
    begins = [int(q["startTime"]) for q in exchange.klines]
    assert begins == sorted(begins, reverse=True)
    assert desk.bars(exchange=EXCHANGE) == expected(range(2880), more=MORE)


def test_a_failure_keeps_what_came_before_it(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(2880))
    exchange.refuse_from = 2
    exchange.refuse = [(400, {}, b'{"code":-1100,"msg":"Illegal characters."}')]
    answer = fetch(desk)
    assert answer.code == 1
    assert "Illegal characters" in answer.err
    assert len(desk.bars(exchange=EXCHANGE)) == 2000
    (rest,) = fetch(desk).json
    assert (rest["pages"], rest["added"]) == (1, 880)


def test_a_ban_ends_it_and_says_until_when(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(2880))
    exchange.refuse = [(429, {"Retry-After": "30"}, b'{"code":-1003,"msg":"Too many requests."}')]
    answer = fetch(desk)
    assert answer.code == 3
    assert "banned until" in answer.err
    assert len(exchange.klines) == 1


def test_an_exchange_that_stumbles_is_asked_again(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(2880))
    exchange.refuse = [(502, {}, b"<html>")]
    (done,) = fetch(desk).json
    assert (done["added"], len(exchange.klines)) == (2880, 4)


def test_a_bar_that_makes_no_sense_is_told(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(2880))
    exchange.rows["BTCUSDT", "1m"][5][4] = "NaN"
    exchange.rows["BTCUSDT", "1m"][6][2] = "-1"
    (done,) = fetch(desk).json
    assert (done["bad"], done["absent"], done["added"]) == (2, 2, 2878)
    report = Path(done["reports"][0]).read_text()
    assert '"what":"bad","line":6' in report


def test_bars_of_other_times_are_refused(desk: Desk, exchange: Candles) -> None:
    exchange.refuse = [(200, {}, msgspec.json.encode([row(-5)]))]
    exchange.put(range(2880))
    answer = fetch(desk)
    assert answer.code == 1
    assert "answers with a bar of" in answer.err
    assert not in_order(desk.place(EXCHANGE) / "imports")


def test_each_chunk_names_its_questions(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(2880))
    fetch(desk)
    (path,) = in_order(desk.place(EXCHANGE) / "imports")
    _, origin = read_chunk(path)
    assert origin.source.endswith(
        "/klines BTC/USDT 1m [2024-03-01T00:00:00Z, 2024-03-03T00:00:00Z) in 3 answers"
    )
    assert len(origin.source_sha256) == 64


def test_several_timeframes_are_fetched_at_once(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(2880))
    exchange.put(range(48), "1h")
    answer = desk.rrr("fetch", "btc/usdt", *SPAN, "--timeframes", "1m,1h", "--no-archive")
    assert answer.code == 0, answer.err
    assert "BTC/USDT 1h: 2024-03-01T00:00:00Z … 2024-03-03T00:00:00Z, 1 questions" in answer.out
    assert desk.bars(timeframe="1h", exchange=EXCHANGE) == expected(range(48), "1h", MORE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fetch", "DOGE/USDT", *SPAN], "lists no DOGE/USDT"),
        (["fetch", "--since", "yore"], "no time 'yore'"),
        (["fetch", "--timeframes", "7m"], "expected some of"),
        (["fetch", "--exchange", "kraken"], "bars are fetched of"),
        (["fetch", "--since", "2024-03-02", "--until", "2024-03-01"], "is not before"),
    ],
)
def test_what_cannot_be_meant_is_usage(desk: Desk, words: list[str], said: str) -> None:
    answer = desk.rrr(*words)
    assert answer.code == 2
    assert said in answer.err


def test_an_exchange_that_does_not_answer_is_unreachable(desk: Desk, exchange: Candles) -> None:
    exchange.put(range(2880))
    exchange.refuse = [(503, {}, b"")] * 4
    answer = fetch(desk)
    assert answer.code == 4
    assert "does not answer `klines`" in answer.err


def test_a_span_without_any_bar_is_absent_as_a_whole(desk: Desk, exchange: Candles) -> None:
    (done,) = fetch(desk).json
    assert (done["pages"], done["absent"]) == (0, 2880)
    assert not exchange.klines


@pytest.mark.parametrize("banned", [False, True])
def test_bans_are_shared_with_the_feed_that_runs(exchange: Candles, *, banned: bool) -> None:
    until_ms = SystemClock().wall_ns() // 1_000_000 + 60_000 if banned else 0
    exchange.put(range(2880))
    exchange.refuse = [(418, {"Retry-After": "40"}, b'{"code":-1003,"msg":"Banned."}')]
    told = {("ingest", "budget"): (True, "", {"limit": 6000, "retry_wall_ms": until_ms})}
    with bare_house() as house:
        text = f'mode = "paper"\n[exchange]\nurl = "{exchange.url}"\n'
        (house.root / "settings.local.toml").write_text(text)
        services = Services(house, ("ingest",), told)
        try:
            done = services.rrr("data", "fetch", "BTC/USDT", *SPAN)
        finally:
            services.close()
    assert done.code == 3
    assert "banned until" in done.err
    assert [len(one) for one in done.asked] == ([2] if banned else [2, 3])
    assert bool(exchange.asked) != banned
