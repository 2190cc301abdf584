"""The limits that a person may set while the house runs: what each takes, and up to which ceiling.

The ceilings are the bounds of the setting of the same name, so that one place decides on both.
"""

import re
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from schema.settings_risk import MONEY_MOST, RiskSettings
from schema.units import to_int, to_text

_PLAIN = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,8})?")
_SYMBOL = re.compile(r"[A-Z0-9]{1,15}/[A-Z0-9]{1,15}")
_STRATEGY = re.compile(r"[a-z][a-z0-9_]{0,30}")
KINDS = get_type_hints(RiskSettings, include_extras=True)


class Term(msgspec.Struct, frozen=True):
    """One limit: decimals of its value, whose it may be, and if less of it lets more happen."""

    name: str
    exp: int = 0
    scope: str = ""  # symbol | strategy: it may be set for one alone
    alone: bool = False  # and for one alone only
    inverse: bool = False

    @property
    def bounds(self) -> tuple[str, str]:
        """The least and the most that code allows, as text."""
        if self.alone:
            return to_text(1, self.exp), str(MONEY_MOST)
        (meta,) = (one for one in get_args(KINDS[self.name])[1:] if isinstance(one, Meta))
        return f"{meta.ge or 0:g}", str(meta.le)

    @property
    def real(self) -> bool:
        """Whether it is a time of machines, which the clock's scale stretches."""
        metas = get_args(KINDS[self.name])[1:]
        return any(
            isinstance(one, Meta) and (one.extra or {}).get("clock") == "real" for one in metas
        )


TERMS = {
    term.name: term
    for term in (
        Term("max_order_notional", scope="symbol"),
        Term("max_order_qty", exp=8, scope="symbol", alone=True),
        Term("max_position_notional", scope="symbol"),
        Term("max_net_exposure"),
        Term("max_gross_exposure"),
        Term("max_leverage", exp=2),
        Term("max_open_positions"),
        Term("max_open_orders"),
        Term("max_drawdown_pct", exp=2),
        Term("daily_loss"),
        Term("weekly_loss"),
        Term("strategy_loss", scope="strategy"),
        Term("price_collar_bps"),
        Term("order_rate"),
        Term("max_cancel_rate"),
        Term("max_msgs_per_day"),
        Term("max_order_to_fill_ratio"),
        Term("max_round_trips", scope="strategy"),
        Term("duplicate_order_window_ms", inverse=True),
        Term("stale_data_ms"),
    )
}
"""All that `rrr risk set` takes, in the order in which it is shown."""


def term_of(name: str, scope: str) -> Term:
    """Return a limit by its name; ValueError where there is none, or none of that scope."""
    term = TERMS.get(name)
    if term is None:
        raise ValueError(f"{name!r} is no limit: expected one of {' '.join(TERMS)}")
    if scope and not term.scope:
        raise ValueError(f"{name} is of the whole account: expected no symbol and no strategy")
    if not scope and term.alone:
        raise ValueError(f"{name} is of one symbol: expected --symbol, such as BTC/USDT")
    form = _SYMBOL if term.scope == "symbol" else _STRATEGY
    if scope and not form.fullmatch(scope):
        raise ValueError(f"{scope!r} is no {term.scope}: {name} is of one {term.scope} or of all")
    return term


def parsed(term: Term, text: str) -> str:
    """Return a value as it is written down; ValueError for what is none or beyond a ceiling."""
    least, most = term.bounds
    wanted = f"expected a plain number from {least} to {most}, the ceiling in the code"
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"{term.name} is {text[:40]!r}: {wanted}")
    try:
        n = to_int(text, term.exp)
    except ValueError:
        raise ValueError(
            f"{term.name} is {text!r}: {wanted}, of {term.exp} decimals at most"
        ) from None
    if not to_int(least, term.exp) <= n <= to_int(most, term.exp):
        raise ValueError(f"{term.name} is {text}: {wanted}")
    return written(n, term.exp)


def written(n: int, exp: int) -> str:
    """Return a number as a person writes it."""
    text = to_text(n, exp)
    return text.rstrip("0").rstrip(".") if exp else text


def lets_more(term: Term, before: str, after: str) -> bool:
    """Return whether a change lets more happen than before; "" and 0 are off."""
    was, will = (_reach(term, text) for text in (before, after))
    return will < was if term.inverse else will > was


def _reach(term: Term, text: str) -> float:
    n = to_int(text, term.exp) if text else 0
    return float("inf") if n == 0 and not term.inverse else n


def shipped(settings: RiskSettings, term: Term, scale: float) -> str:
    """Return what the settings say, as a person writes it."""
    value: Any = getattr(settings, term.name)
    if term.exp:
        return written(round(value * 10**term.exp), term.exp)
    return str(round(value / scale)) if term.real else str(value)
