"""Stops that tell a person what to do: those that clear themselves, and those that do not."""

import msgspec
import pytest

from schema.exchange import AccountSeen, AskAccount
from schema.house import PeerSeen, Started, TimeGap
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import LISTED


def stops(desk: Desk) -> dict[str, dict[str, str]]:
    rows = msgspec.json.decode(desk.command("stops").body, type=list[dict[str, str]])
    return {row["what"]: row for row in rows}


def test_a_house_without_an_instrument_waits_and_goes_on_when_one_is_told() -> None:
    desk = Desk()
    desk.put(Started(epoch=1, grade="fresh"), PeerSeen(service="risk", state="READY"))
    desk.tell_clock()
    desk.settle()
    assert set(stops(desk)) == {"no instrument"}
    assert stops(desk)["no instrument"]["release"] == "clears itself"
    desk.put(LISTED)
    desk.settle()
    assert stops(desk) == {}


def test_a_condition_tells_since_when_it_holds() -> None:
    desk = Desk().boot()
    desk.put(TimeGap(jump_ms=90_000))
    since = stops(desk)["clock"]["since"]
    assert since.endswith("Z")
    desk.pass_ms(3_000)
    assert stops(desk)["clock"]["since"] == since
    desk.tell_clock()
    assert "clock" not in stops(desk)


@pytest.mark.parametrize(("trade", "withdraw"), [(False, False), (True, True)])
def test_a_key_that_is_wrong_does_not_clear_itself(*, trade: bool, withdraw: bool) -> None:
    desk = Desk().boot()
    desk.pass_ms(31_000)
    (ask,) = [e for e in desk.effects if isinstance(e, AskAccount)]
    desk.effects.remove(ask)
    seen = desk.account.answer(ask)
    assert isinstance(seen, AccountSeen)
    desk.put(msgspec.structs.replace(seen, can_trade=trade, can_withdraw=withdraw))
    assert "rrr restart gateway" in stops(desk)["exchange key"]["release"]


def test_a_house_that_is_not_armed_names_the_mode() -> None:
    desk = Desk(armed=False)
    desk.put(Started(epoch=1, grade="fresh"))
    assert "rrr up" in stops(desk)["no exchange"]["release"]
