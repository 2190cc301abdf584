"""A bracket in a run: both orders rest at the exchange as a pair, and one of them is done."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schema.exchange import AskOrder, CancelDone, OrderFound, OrderRefused, SendCancel
from schema.joined import PairPlaced, PairRefused, SendPair
from schema.ledger import decimals
from schema.trading import OrderIntent
from schema.units import MINUTE_NS
from services.backtest.running import Played
from services.backtest.tally import MONEY_EXP
from tests.services.backtest.recorded import walk_file
from tests.services.backtest.test_backtest_fills import START_NS, SYMBOL, Market
from tests.services.backtest.test_backtest_run import played, records_of, settings_for

SOURCE = '''
"""In again after each exit, behind a stop and a take that are near."""

from services.engine.strategy import Bar, Params, Strategy, Target, View


class Bracket(Strategy):
    """Long behind a bracket; its stop follows."""

    warmup = 3

    class Params(Params):
        limited: float = 0.0  # 0..1

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        px = view.average or view.price
        stop = max(px * 0.997, bar.close * 0.995)
        limit = stop * 0.9999 if self.params.limited else 0.0
        if stop >= view.price:
            return None
        return Target.qty(0.01, stop=stop, take=px * 1.003, stop_limit=limit, why="in")
'''


@pytest.fixture(scope="module", params=["book", "close", "next_open"])
def bracket(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return run(tmp_path_factory.mktemp("run"), BACKTEST__FILLS=request.param)


def run(folder: Path, **more: str) -> Played:
    file = folder / "bracket.py"
    file.write_text(SOURCE, encoding="utf-8")
    own = {"FILE": str(file), "BUDGET": "5000", "MODE": "trade", **more}
    settings = settings_for(**{f"RRR_STRATEGY__BRACKET__{key}": own[key] for key in own})
    return played(walk_file(folder / "walk.csv", 400), "bracket", settings)


def test_it_ends_at_its_takes_and_at_its_stops(bracket: Played) -> None:
    assert not bracket.tally.failures
    assert not bracket.tally.denials
    ends = {trip.exit_tag for trip in bracket.tally.trips}
    assert {"stop", "target"} <= ends, ends
    assert len(bracket.tally.trips) >= 3


def test_what_is_left_adds_up_to_what_was_earned(bracket: Played) -> None:
    tally = bracket.tally
    assert tally.equity[0] == 5_000 * 10**MONEY_EXP
    assert decimals(tally.ledger) == decimals(bracket.engine.state.books.ledger)


def test_the_venue_holds_a_pair_that_locks_once(tmp_path: Path) -> None:
    records = records_of(run(tmp_path))
    assert len(records.pairs) > 3
    assert [pair.done for pair in records.pairs.values()].count(False) <= 1
    assert all(pair.locked == 0 for pair in records.pairs.values() if pair.done)
    kinds = {order.type for order in records.orders.values()}
    assert {"STOP_LOSS", "LIMIT_MAKER", "MARKET"} <= kinds


def test_a_bracket_with_a_limit_behind_its_stop_is_out_in_time(tmp_path: Path) -> None:
    found = run(tmp_path, PARAMS__LIMITED="1")
    kinds = {order.type for order in records_of(found).orders.values()}
    assert "STOP_LOSS_LIMIT" in kinds
    assert not found.tally.failures
    assert {trip.exit_tag for trip in found.tally.trips} & {"stop", "target"}


def pair_for(market: Market, stop_px: int, take_px: int, **changes: Any) -> Any:
    """Send a pair that sells two."""
    values: dict[str, Any] = {
        "ts_event": market.exchange.at_ns, "strategy": "s", "symbol": SYMBOL, "side": "sell",
        "qty": 2, "px_exp": 0, "qty_exp": 0, "reduce_only": True,
    }  # fmt: skip
    stop = OrderIntent(
        **values, client_order_id="stop", order_type="stop", stop_px=stop_px, oco="target",
        leg="stop",
    )  # fmt: skip
    target = OrderIntent(
        **values, client_order_id="target", order_type="limit_maker", limit_px=take_px,
        oco="stop", leg="target",
    )  # fmt: skip
    stop = msgspec.structs.replace(stop, **changes)
    effect = SendPair(
        effect_id="pair stop", stop=stop, target=target, signed_ms=0, deadline_wall_ms=0
    )
    return market.exchange.answer(effect)


@pytest.mark.parametrize(
    ("stop_px", "take_px", "told"),
    [
        (60, 119, [("stop", "EXPIRED", 2), ("target", "119", 2)]),
        (90, 200, [("target", "EXPIRED", 3), ("stop", "80", 3)]),
    ],
)
def test_one_of_two_is_done_and_the_other_expires_before(
    stop_px: int, take_px: int, told: list[tuple[str, str, int]]
) -> None:
    market = Market(at_open=False)
    assert market.told(1) == []
    placed = pair_for(market, stop_px, take_px)
    assert isinstance(placed, PairPlaced)
    assert [one.status for one in placed.reports] == ["NEW", "NEW"]
    assert market.funds["BTC"] == "8.00000000"  # What both need is locked once.
    assert market.told(4) == told
    assert market.exchange.idle


def test_a_cancel_of_one_ends_both_and_is_told() -> None:
    market = Market(at_open=False)
    market.told(1)
    pair_for(market, 60, 200)
    cancel = SendCancel(effect_id="c", client_order_id="stop", symbol=SYMBOL)
    assert isinstance(market.exchange.answer(cancel), CancelDone)
    assert not market.exchange.idle
    assert market.told(1) == [("target", "CANCELED", 1)]
    assert market.exchange.idle
    assert market.funds["BTC"] == "10.00000000"


@pytest.mark.parametrize(("stop_px", "take_px"), [(60, 105), (105, 200)])
def test_a_pair_around_another_price_than_that_of_now_is_refused(
    stop_px: int, take_px: int
) -> None:
    market = Market(at_open=False)
    market.told(1)
    refused = pair_for(market, stop_px, take_px)
    assert isinstance(refused, PairRefused)
    assert refused.client_order_ids == ("stop", "target")
    assert market.exchange.idle


def test_a_stop_with_a_limit_that_is_jumped_waits_there_and_frees_its_pair() -> None:
    market = Market(at_open=False)
    market.told(1)
    pair_for(market, 90, 200, order_type="stop_limit", limit_px=85)
    assert market.told(3) == [("target", "EXPIRED", 3), ("stop", "NEW", 3)]
    found = market.exchange.answer(AskOrder(effect_id="a", client_order_id="stop", symbol=SYMBOL))
    assert isinstance(found, OrderFound)
    assert found.report.working
    assert market.told(4) == [("stop", "85", 4)]


def test_a_limit_that_only_makes_is_refused_where_it_would_take() -> None:
    market = Market(at_open=False)
    market.told(1)
    refused = market.sends("buy", order_type="limit_maker", limit_px=105)
    assert isinstance(refused, OrderRefused)
    assert market.exchange.at_ns == START_NS + MINUTE_NS
