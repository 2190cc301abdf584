"""Two folds of the same fills, written apart: they agree to the last unit, or one of them errs."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.ledger import Ledger, book, deposit
from schema.orders import Deposit, Fill
from services.monitor.books import Books, in_text
from services.monitor.seen import Seen
from tests.services.monitor.account import fill, money, wish
from tests.tidy.imports import imports
from tests.tidy.source import ROOT, Source

ASSETS = ("BTC", "USDT", "BNB")

fills = st.builds(
    lambda side, number, qty, quote_qty, fee, exps: fill(
        wish(side=side),
        f"t{number}",
        qty=qty,
        quote_qty=quote_qty,
        fee=fee,
        fee_asset=exps[0],
        qty_exp=exps[1],
        quote_exp=exps[2],
        fee_exp=exps[3],
    ),
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 40),
    st.integers(1, 10**6),
    st.integers(0, 10**9),
    st.integers(-(10**4), 10**5),
    st.tuples(st.sampled_from(ASSETS), st.integers(3, 6), st.integers(4, 8), st.integers(4, 9)),
)
deposits = st.builds(
    lambda asset, amount, exp, book_name, kind: money(
        amount, asset=asset, exp=exp, book=book_name, kind=kind, symbol="BTC/USDT"
    ),
    st.sampled_from(ASSETS),
    st.integers(-(10**9), 10**9),
    st.integers(2, 8),
    st.sampled_from(["trading", "external"]),
    st.sampled_from(["opening", "transfer", "funding", "rebate", "dividend", "adjustment"]),
)


@given(st.lists(st.one_of(fills, deposits), max_size=40))
def test_audit_and_ledger_agree_to_the_last_unit(messages: list[Fill | Deposit]) -> None:
    ledger, books = Ledger(), Books()
    for pos, message in enumerate(messages, start=1):
        if isinstance(message, Fill):
            assert book(ledger, message) == books.fill(message, pos)
        else:
            deposit(ledger, message)
            books.deposit(message, pos)
    for asset in ASSETS:
        theirs = ledger.balance(asset)
        ours = books.cash[asset].amount if asset in books.cash else 0
        assert ours == Fraction(theirs.amount, 10**theirs.exp)
    for symbol, ours_in in books.positions.items():
        holding = ledger.holding(symbol)
        assert holding is not None
        assert ours_in.amount == Fraction(holding.qty, 10**holding.qty_exp)
        earned = books.funding[symbol].amount if symbol in books.funding else 0
        assert earned == Fraction(holding.funding, 10**holding.quote_exp)
    assert books.fills == ledger.fills


def test_the_audit_knows_nothing_of_the_ledger_that_engine_and_risk_share() -> None:
    for path in sorted((ROOT / "services" / "monitor").glob("*.py")):
        source = Source(path.relative_to(ROOT).as_posix(), path.read_text())
        assert not [module for _, module in imports(source) if "ledger" in module]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=3)), max_size=60))
def test_what_was_seen_is_known_again(parts: list[tuple[str, str]]) -> None:
    seen = Seen()
    known: set[tuple[str, str]] = set()
    for one in parts:
        clean = (one[0], one[1].replace("\0", ""))
        assert seen.add(*clean) == (clean not in known)
        known.add(clean)


@pytest.mark.parametrize(
    ("number", "text"),
    [(Fraction(0), "0"), (Fraction(-1, 8), "-0.125"), (Fraction(3, 1000), "0.003"), (7, "7")],
)
def test_numbers_are_shown_exactly(number: Fraction, text: str) -> None:
    assert in_text(Fraction(number)) == text
