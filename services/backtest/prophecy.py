"""The forecasts that the shipped predictor makes of the bars of a rehearsal, made once for all."""

from schema.forecast import Forecast
from schema.head import Message
from schema.setting_types import TIMEFRAMES_NS
from services.backtest.history import in_order
from services.backtest.rehearsal import Task
from services.predictor.core import Predictor

WORD = "forecast"


def forecasts_of(task: Task) -> tuple[Forecast, ...]:
    """Return the forecasts of a stretch; none for a strategy that does not speak of any."""
    own = task.settings.predictor
    base = [columns.step_ns for columns in task.history.base.values()]
    unfit = any(TIMEFRAMES_NS[own.timeframe] % step_ns for step_ns in base)
    if unfit or not any(WORD in text for _, text in task.offer.files):
        return ()
    predictor, found = Predictor(task.settings), []
    tracks = task.history.tracks((symbol, own.timeframe) for symbol in task.offer.symbols)
    for bar in in_order(tracks, task.start_ns, task.stop_ns):
        for said in predictor.handle(bar, bar.ts_event):
            if isinstance(said, Message):
                predictor.apply(said)
            if isinstance(said, Forecast):
                found.append(said)
    return tuple(found)
