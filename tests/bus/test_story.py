"""The story: which messages leave a line for people, and that every one of them can be told."""

from typing import Any

import msgspec
import pytest

from bus.story import AUDITED, NAMES, QUIET, STEPS, URGENT, line_of
from bus.telling import tell
from schema.head import Message
from schema.house import Alert
from schema.market import Bar, Quote, Trade
from schema.messages import MESSAGES
from schema.orders import (
    Fill,
    InstrumentHalted,
    OrderDenied,
    OrderRejected,
    OrderSubmitted,
    OrderUnconfirmed,
)
from schema.trading import LimitBreached, OrderIntent, RiskState, StrategyFailed, Verdict
from tests.schema.samples import sample


def plausible(kind: type[Message]) -> Any:
    """Return a sample whose numbers have few decimals."""
    message = sample(kind)
    for part in (message, *(getattr(message, name) for name in message.__struct_fields__)):
        if isinstance(part, msgspec.Struct):
            for name in part.__struct_fields__:
                if name == "exp" or name.endswith("_exp"):
                    msgspec.structs.force_setattr(part, name, 8)
                if name == "signed_ms":
                    msgspec.structs.force_setattr(part, name, 1_700_000_000_000)
    return message


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=lambda kind: kind.__name__)
def test_every_message_can_be_told_in_one_line(kind: type[Message]) -> None:
    message = plausible(kind)
    line = line_of(message)
    assert "\n" not in tell(message)
    assert line is None or (line.event and line.text)


@pytest.mark.parametrize(
    "kind",
    [
        OrderSubmitted, Fill, OrderDenied, OrderUnconfirmed, OrderRejected, InstrumentHalted,
        StrategyFailed, LimitBreached, RiskState, Alert,
    ],
)  # fmt: skip
def test_what_a_person_is_woken_for_leaves_a_line(kind: type[Message]) -> None:
    line = line_of(plausible(kind))
    assert line is not None
    assert line.volume != "quiet"
    assert line.about or line.order or kind is RiskState


@pytest.mark.parametrize("kind", [Trade, Quote, Bar, Verdict, OrderIntent])
def test_what_is_told_elsewhere_leaves_no_line(kind: type[Message]) -> None:
    assert line_of(plausible(kind)) is None


def test_an_order_that_leaves_is_told_by_what_it_is() -> None:
    submitted = plausible(OrderSubmitted)
    line = line_of(submitted)
    assert line is not None
    assert line.text == tell(submitted.intent)
    assert (line.order, line.about) == (submitted.client_order_id, submitted.symbol)


def test_only_what_has_a_line_is_loud_or_audited() -> None:
    assert STEPS | set(NAMES) >= URGENT | QUIET | AUDITED
    assert not URGENT & QUIET
