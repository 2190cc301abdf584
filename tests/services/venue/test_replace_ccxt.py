"""One order in another's place as unmodified ccxt asks for it, and as faults strike it."""

from collections.abc import Iterator
from typing import Any

import pytest
from ccxt.base.errors import BaseError, NetworkError

from services.venue.columns import DAY_MS
from services.venue.synthetic import Synthetic
from tests.services.venue.serving import Serving, serving
from tests.services.venue.spoiled import desk_of, spoil
from tests.services.venue.trading import BTC, far_below, live

DAY = 20_400
FAILURES: tuple[tuple[str, str, bool], ...] = (
    ("lost_request", "count=1", False),
    ("lost_ack", "count=1", True),
    ("unknown_1007", "when=before", False),
    ("unknown_1007", "when=after", True),
    ("error_5xx", "when=after", True),
    ("html_body", "status=502", True),
)
"""Fault, a word of it, and whether the new order stands at the venue."""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    market, origin_ms = Synthetic(7, (BTC,), DAY - 30), DAY * DAY_MS + 9 * 3_600_000
    with serving(market, origin_ms, 60.0, tmp_path_factory.mktemp("replace")) as found:
        yield found


def standing(venue: Serving, name: str) -> bool:
    return desk_of(venue).records.open_named("BTCUSDT", name) is not None


async def resting(exchange: Any, name: str) -> tuple[Any, float]:
    px = await far_below(exchange)
    params = {"newClientOrderId": name}
    return await exchange.create_order(BTC, "limit", "buy", 0.01, px, params), px


def test_edit_order_puts_one_in_the_others_place(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        old, px = await resting(exchange, "edit-1")
        params = {"newClientOrderId": "edit-2"}
        new = await exchange.edit_order(old["id"], BTC, "limit", "buy", 0.02, px * 0.99, params)
        assert (new["status"], new["clientOrderId"], new["amount"]) == ("open", "edit-2", 0.02)
        assert new["id"] != old["id"]
        assert exchange.last_response_headers["X-MBX-ORDER-COUNT-10S"]
        assert not standing(venue, "edit-1")
        gone = await exchange.fetch_order(old["id"], BTC)
        assert gone["status"] == "canceled"
        with pytest.raises(BaseError, match="-2022"):
            await exchange.edit_order(old["id"], BTC, "limit", "buy", 0.02, px)

    live(venue, work)


def test_edit_order_goes_by_the_socket_as_well(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        old, px = await resting(exchange, "socket-1")
        new = await exchange.edit_order_ws(old["id"], BTC, "limit", "buy", 0.02, px * 0.99)
        assert new["status"] == "open"
        assert not standing(venue, "socket-1")
        with pytest.raises(BaseError, match="-2022"):
            await exchange.edit_order_ws(old["id"], BTC, "limit", "buy", 0.02, px)

    live(venue, work)


def test_each_fault_of_an_order_strikes_it_too_and_the_ledger_keeps_the_truth(
    venue: Serving,
) -> None:
    async def work(exchange: Any) -> None:
        for number, (name, word, stands) in enumerate(FAILURES):
            old, px = await resting(exchange, f"was{number}")
            count = () if "count" in word else ("count=1",)
            assert spoil(venue, "set", name, word, "call=POST order/cancelReplace", *count).ok
            params = {"newClientOrderId": f"is{number}"}
            with pytest.raises((BaseError, NetworkError)):
                await exchange.edit_order(old["id"], BTC, "limit", "buy", 0.01, px * 0.99, params)
            assert standing(venue, f"is{number}") is stands, name
            assert standing(venue, f"was{number}") is not stands, name

    live(venue, work)


@pytest.mark.parametrize("part_pct", [50, 100])
def test_an_order_trades_in_the_moment_in_which_it_is_replaced(
    venue: Serving, part_pct: int
) -> None:
    async def work(exchange: Any) -> None:
        old, px = await resting(exchange, f"race{part_pct}")
        call = "call=POST order/cancelReplace"
        assert spoil(venue, "set", "cancel_race", call, f"part_pct={part_pct}").ok
        params = {"newClientOrderId": f"late{part_pct}", "cancelRestrictions": "ONLY_NEW"}
        with pytest.raises(BaseError, match="-2022"):
            await exchange.edit_order(old["id"], BTC, "limit", "buy", 0.01, px, params)
        assert not standing(venue, f"late{part_pct}")
        found = await exchange.fetch_order(old["id"], BTC)
        assert found["filled"] == pytest.approx(0.01 * part_pct / 100)

    live(venue, work)
