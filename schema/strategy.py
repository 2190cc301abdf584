"""What is said of somebody's strategies: their source, what they remember, what they would trade.

The source travels whole, so that a recorded day runs again after the file was edited.
"""

import msgspec

from schema.head import Local, Message, Noticed, Side

Scalar = bool | int | float | str
"""A parameter's value."""


class Offer(msgspec.Struct, frozen=True, array_like=True):
    """One strategy as the settings name it, with all source that it is made of."""

    name: str
    file: str
    digest: str  # of `files`
    files: tuple[tuple[str, str], ...]  # module name and text, the strategy's own first
    symbols: tuple[str, ...]
    budget: float  # quote money
    role: str = "trade"  # trade | shadow
    short: bool = False  # it may sell what the account holds beside its positions
    params: dict[str, Scalar] = {}
    trouble: str = ""  # why there is no source


class StrategyLoaded(Message, tag=47, frozen=True, kw_only=True):
    """From here on a strategy runs from this source, with these parameters."""

    strategy: str
    offer: Offer
    by: str
    reason: str


class StrategyRetired(Message, tag=48, frozen=True, kw_only=True):
    """The settings name a strategy no more; what it holds stays protected."""

    strategy: str
    reason: str


class StrategyState(Message, tag=49, frozen=True, kw_only=True):
    """What a strategy wants to remember of one symbol: its declared state, packed by name."""

    strategy: str
    symbol: str
    state: bytes


class ShadowFill(Message, tag=52, frozen=True, kw_only=True):
    """What an order would have been filled at that a shadow did not place."""

    strategy: str
    symbol: str
    side: Side
    px: int
    qty: int
    px_exp: int
    qty_exp: int
    fee: int  # quote_exp
    quote_exp: int
    reason: str = ""


class StrategiesOffered(Local, tag=350, frozen=True, kw_only=True):
    """What the settings name at a start, and whom the last lives of this process died in."""

    offers: tuple[Offer, ...]
    deaths: tuple[tuple[str, int], ...] = ()


class StrategyFell(Noticed, tag=351, frozen=True, kw_only=True):
    """A call of a strategy that did not answer, recorded before the input that it was made for.

    A call may end otherwise when it is made again, so a turn that is run again asks this instead.
    """

    strategy: str
    symbol: str
    moment: str
    reason: str
    detail: str
