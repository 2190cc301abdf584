"""The predictor: hears bars, says for each closed one where its symbol goes, and keeps score."""

from math import sqrt
from typing import ClassVar

from bus.service import Said, Service
from schema.forecast import Forecast, ModelArrived, ModelCard, TrainingChanged
from schema.head import Message
from schema.house import Command, CommandDone
from schema.market import Bar
from schema.setting_types import TIMEFRAMES_NS
from schema.settings import Settings
from schema.units import MINUTE_NS
from services.predictor import HEARS, NAME, SAYS, baseline, network
from services.predictor.card import Card, ModelError, read_card, require_fit
from services.predictor.features import Vector, amend, deviation, is_next
from services.predictor.network import Network, read_network
from services.predictor.outcomes import UNSAID, Line, Outcome, advance, await_outcome
from services.predictor.scoring import Tally, count, score, unsay
from services.predictor.state import Model, State, Windows

LATE_NS = 5 * MINUTE_NS
"""A bar that closed this long and two of its length ago is history: it teaches, and is no news."""

MEAN_ABSOLUTE = 0.8
"""Of a move whose deviation is one."""


class Predictor(Service):
    """Forecasts with the model, or with the baseline while there is none."""

    name: ClassVar[str] = NAME
    hears: ClassVar[tuple[str, ...]] = HEARS
    says: ClassVar[tuple[str, ...]] = SAYS
    niceness: ClassVar[int] = 5

    def __init__(self, settings: Settings) -> None:
        self.state = State()
        self.settings = settings.predictor
        self.symbols = frozenset(settings.ingest.symbols or settings.venue.symbol)
        self.step_ns = TIMEFRAMES_NS[self.settings.timeframe]
        self._network: tuple[str, Network] | None = None

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        match message:
            case Bar():
                fresh = now_ns - message.ts_event <= 2 * self.step_ns + LATE_NS
                return self._bar(message, fresh=fresh) if self._is_mine(message) else []
            case ModelArrived():
                return self._model(message, now_ns)
            case TrainingChanged(running=running):
                self.state.windows.training = running
            case Command():
                return [_unknown(message)]
        return []

    def apply(self, message: Message) -> None:
        match message:
            case Forecast():
                self.state.books.forecasts += 1
            case ModelCard(sha256=sha256):
                self.state.books.announced = sha256

    def forget(self) -> None:
        self.state.windows = Windows()

    def refill(self, message: Message) -> None:
        if isinstance(message, Bar) and self._is_mine(message):
            self._bar(message, fresh=False)

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return what was said, what was learned, and whether a model speaks."""
        windows = self.state.windows
        return (
            ("forecasts", self.state.books.forecasts),
            ("outcomes", windows.logistic.outcomes),
            ("model", int(windows.model is not None)),
            ("models_refused", windows.models_refused),
            ("training", int(windows.training)),
        )

    def _is_mine(self, bar: Bar) -> bool:
        return bar.timeframe == self.settings.timeframe and bar.symbol in self.symbols

    def _bar(self, bar: Bar, *, fresh: bool) -> list[Said]:
        line = self.state.windows.lines.setdefault(bar.symbol, Line())
        if not is_next(line.window, bar):
            if bar.revision:
                amend(line.window, bar)
            return []
        features, outcomes = advance(line, bar)
        said = self._settle(bar, outcomes)
        if features is None:
            return said
        probability = self._probability(features) if fresh else UNSAID
        await_outcome(line, bar, features, self.settings.horizon_bars, probability)
        return [*said, self._forecast(bar, line, probability)] if fresh else said

    def _settle(self, bar: Bar, outcomes: list[Outcome]) -> list[Said]:
        windows = self.state.windows
        tally = windows.tallies.setdefault(bar.symbol, Tally())
        for outcome in outcomes:
            baseline.learn(windows.logistic, outcome.sample.features, up=outcome.up)
            count(tally, outcome)
        found = score(tally, bar, self._speaker()[0])
        return [found] if found is not None else []

    def _forecast(self, bar: Bar, line: Line, probability: float) -> Forecast:
        model, source = self._speaker()
        lean = 2 * probability - 1
        move = deviation(line.window) * sqrt(self.settings.horizon_bars) * MEAN_ABSOLUTE
        return Forecast(
            ts_event=bar.ts_event,
            symbol=bar.symbol,
            timeframe=bar.timeframe,
            bar_open_ns=bar.open_ns,
            horizon_ns=self.settings.horizon_bars * self.step_ns,
            probability_up=probability,
            confidence=abs(lean),
            expected_return=lean * move,
            model=model,
            source=source,
        )

    def _speaker(self) -> tuple[str, str]:
        model = self.state.windows.model
        return (model.sha256, "model") if model is not None else (baseline.NAME, "baseline")

    def _probability(self, features: Vector) -> float:
        windows = self.state.windows
        if windows.model is None:
            return baseline.probability(windows.logistic, features)
        return network.probability(self._read(windows.model), features)

    def _read(self, model: Model) -> Network:
        if self._network is None or self._network[0] != model.sha256:
            self._network = (model.sha256, read_network(model.weights))
        return self._network[1]

    def _model(self, arrived: ModelArrived, now_ns: int) -> list[Said]:
        windows = self.state.windows
        if windows.model is not None and windows.model.sha256 == arrived.sha256:
            return []
        try:
            card = read_card(arrived.card)
            require_fit(card, self.settings)
            self._network = (arrived.sha256, read_network(arrived.weights))
        except ModelError:  # The edge has looked at it, and has told what is wrong with it.
            windows.models_refused += 1
            return []
        windows.model = Model(arrived.sha256, arrived.weights)
        windows.tallies.clear()
        for line in windows.lines.values():
            unsay(line)
        known = self.state.books.announced == arrived.sha256
        return [] if known else [_announced(card, arrived, now_ns)]


def _announced(card: Card, arrived: ModelArrived, now_ns: int) -> ModelCard:
    return ModelCard(
        ts_event=now_ns,
        name=card.name,
        sha256=arrived.sha256,
        source=arrived.source,
        timeframe=card.timeframe,
        symbols=card.symbols,
        features=card.features,
        horizon_ns=card.horizon_ns,
        data_first_ns=card.data_first_ns,
        data_last_ns=card.data_last_ns,
        data_hash=card.data_hash,
        rows=card.rows,
        metrics=tuple(card.metrics.items()),
        baselines=tuple(
            (f"{name} {metric}", value)
            for name, metrics in card.baselines.items()
            for metric, value in metrics.items()
        ),
        card=arrived.card.decode(),
    )


def _unknown(command: Command) -> CommandDone:
    return CommandDone(
        request_id=command.request_id,
        ok=False,
        text=f"predictor knows no command {command.verb}; it knows status and drain",
    )
