"""What a strategy is shown at one event; what it does not look at is not worked out."""

from schema.ledger import Holding
from schema.market import Instrument
from services.engine.hearing import mark_of
from services.engine.line import Pass
from services.engine.roster import Cast, bars_of
from services.engine.sizing import as_float, closable, in_px_exp, least_money
from services.engine.view import View
from services.engine.worth import holding_of, worth_of


class Purse:
    """What a strategy has by the engine's books, as they are in one pass."""

    def __init__(self, turn: Pass, cast: Cast, mark: tuple[int, int]) -> None:
        self._turn, self._cast, self._mark = turn, cast, mark

    @property
    def position(self) -> float:
        # A rest that nobody takes is no position: it would keep its strategy from entering again.
        holding, instrument = self._holding, self._instrument
        if holding is None or holding.qty == 0:
            return 0.0
        if instrument is not None and closable(holding, instrument, self._px) == 0:
            return 0.0
        return as_float(holding.qty, holding.qty_exp)

    @property
    def average(self) -> float:
        holding = self._holding
        if holding is None or self.position == 0:
            return 0.0
        return as_float(holding.cost, holding.quote_exp) / self.position

    @property
    def equity(self) -> float:
        worth = worth_of(self._turn, self._cast.offer)
        assert worth is not None, "the prices were looked at before"
        return worth

    @property
    def least(self) -> float:
        return least_money(self._instrument, self._px)

    @property
    def _holding(self) -> Holding | None:
        return holding_of(self._turn, self._cast.offer, self._cast.symbol)

    @property
    def _instrument(self) -> Instrument | None:
        return self._turn.windows.instruments.get(self._cast.symbol)

    @property
    def _px(self) -> int:
        return in_px_exp(self._mark, self._instrument.px_exp) if self._instrument else 0


def view_of(turn: Pass, cast: Cast) -> View | str:
    """Return what a strategy sees now; else why it cannot be asked yet."""
    missing = bars_of(turn.windows, cast)
    if missing:
        return missing
    mark = mark_of(turn.windows, cast.symbol)
    if mark is None:
        return "no price is known yet"
    if len(cast.offer.symbols) > 1 and worth_of(turn, cast.offer) is None:
        return "its worth is not known: a price is missing"
    return View(
        cast.bars,
        Purse(turn, cast, mark),
        symbol=cast.symbol,
        now=turn.now_ns,
        bar_ns=cast.step_ns,
        price=mark[0] / 10.0 ** mark[1],
        forecast=turn.windows.forecasts.get(cast.symbol),
    )
