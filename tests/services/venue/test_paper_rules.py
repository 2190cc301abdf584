"""The exchange's rules, from its listing over the bus to the filters that the venue enforces."""

import pytest
from msgspec.structs import replace

from bus.errors import SettingsError
from bus.house import open_house
from schema.listing import instrument_of
from services.venue.core import Venue
from services.venue.payload import symbol_row
from services.venue.rules import NO_LIMIT, eight, facts_of
from services.venue.synthetic import Symbol
from tests.services.bare import bare_house
from tests.services.venue.heard_market import instrument


@pytest.mark.parametrize("name", ["BTC/USDT", "ETH/USDT", "SOL/USDT", "SHIB/USDT", "ETH/BTC"])
def test_what_an_exchange_announces_is_announced_and_enforced_alike(name: str) -> None:
    facts = Symbol(7, name).facts
    said = instrument_of(symbol_row(facts), 0)
    again = instrument_of(symbol_row(facts_of(said)), 0)
    assert replace(again, order_types=said.order_types) == said


def test_what_the_exchange_does_not_limit_is_not_limited() -> None:
    limits = facts_of(instrument()).limits
    assert limits.orders > 10**6
    assert limits.position > 10**20
    assert limits.bid == limits.ask == (0, NO_LIMIT)


def test_decimals_beyond_the_eighth_are_cut_off() -> None:
    assert (eight(15, 1), eight(123_456_789_019, 10), eight(7, 8)) == (
        150_000_000,
        1_234_567_890,
        7,
    )


def test_a_venue_that_plays_hears_nobody() -> None:
    assert (Venue().hears, Venue().rereads, dict(Venue().needs)) == ((), (), {})
    assert Venue(plays=False).hears == ()
    assert Venue(plays=False, listens=True).hears == Venue.hears


def test_an_account_on_paper_holds_what_its_symbols_are_priced_in() -> None:
    heard = {"MODE": "paper", "RRR_INGEST__SYMBOLS": '["ETH/BTC"]'}
    with bare_house() as house:
        with pytest.raises(SettingsError, match="expected some BTC"):
            open_house(house.root, {**heard, "RRR_VENUE__BALANCES": '["USDT 100"]'})
        assert open_house(house.root, {**heard, "RRR_VENUE__BALANCES": '["BTC 1"]'})
