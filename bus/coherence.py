"""Settings that are right one by one and wrong together, each refused before anything starts."""

from collections.abc import Mapping, Sequence

import msgspec

from bus.errors import SettingsError
from bus.settings import SHIPPED
from schema.identity import UNATTRIBUTED, strategy_tag
from schema.settings import Settings, VenueSettings
from schema.units import parse_iso


def require_coherence(settings: Settings, origins: Mapping[str, str]) -> None:
    """Raise SettingsError for the first contradiction."""
    _once("ports", [str(port) for port in msgspec.structs.asdict(settings.ports).values()])
    _once("ingest.symbols", settings.ingest.symbols)
    _once("gateway.ring_fence", [one.partition(" ")[0] for one in settings.gateway.ring_fence])
    _one_money(settings, origins)
    _tagged(settings, origins)
    _played_elsewhere(settings, origins)
    if settings.mode != "backtest":  # A run has one strategy, and symbols of its own.
        _strategies(settings, origins)
    _teachable(settings, origins)
    if settings.mode != "local" or settings.venue.market == "synthetic":
        _once("venue.symbol", settings.venue.symbol)  # A replay names it once for each file.
    if settings.mode == "local":
        _started(settings.venue, origins)
        _played(settings.venue, origins)
        _listed(settings, origins)
        _funded(settings, origins, settings.venue.symbol)
    if settings.mode == "paper":
        _funded(settings, origins, settings.ingest.symbols or settings.venue.symbol)


def _once(name: str, values: Sequence[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise SettingsError(f"`{name}` holds {value} twice", "Name it once")


def _one_money(settings: Settings, origins: Mapping[str, str]) -> None:
    # Limits, equity and profit are told in one asset; two would be summed as if they were one.
    symbols = settings.ingest.symbols or settings.venue.symbol
    quotes = dict.fromkeys(symbol.partition("/")[2] for symbol in symbols)
    if len(quotes) > 1:
        source = origins["ingest.symbols" if settings.ingest.symbols else "venue.symbol"]
        raise SettingsError(
            f"{source}: the symbols {' '.join(symbols)} are priced in {' and '.join(quotes)}: "
            "expected one quote asset for all that this house trades",
            "Name the symbols of one quote asset in `ingest.symbols`",
        )


def _started(venue: VenueSettings, origins: Mapping[str, str]) -> None:
    try:
        if venue.start:
            parse_iso(venue.start)
    except ValueError as error:
        source = origins["venue.start"]
        raise SettingsError(f"{source}: `venue.start` is {error}", f"Mend it in {source}") from None


def _played(venue: VenueSettings, origins: Mapping[str, str]) -> None:
    # Whoever names files and forgets the market would watch made-up prices.
    forgotten = venue.market == "synthetic" and origins["venue.market"] == SHIPPED
    if venue.replay and forgotten:
        raise SettingsError(
            f"{origins['venue.replay']}: `venue.replay` names files, and `venue.market` is not set",
            "Set RRR_VENUE__MARKET=replay to play them, or =synthetic to leave them",
        )


def _played_elsewhere(settings: Settings, origins: Mapping[str, str]) -> None:
    # It would hear what it says itself, and match its orders against an echo of nothing.
    url, source = settings.exchange.url, origins["exchange.url"]
    port = int(url.rpartition(":")[2] or 0)
    if settings.mode != "local" and port == settings.ports.venue:
        raise SettingsError(
            f"{source}: `exchange.url` is {url}, where this house's own venue listens: expected "
            "what plays the exchange, at another port",
            f"Mend it in {source}, or give one of the two another `house.number`",
        )


def _listed(settings: Settings, origins: Mapping[str, str]) -> None:
    for symbol in settings.ingest.symbols:
        if symbol not in settings.venue.symbol:
            source = origins["ingest.symbols"]
            raise SettingsError(
                f"{source}: `ingest.symbols` names {symbol}: expected some of `venue.symbol`, "
                f"{' '.join(settings.venue.symbol)}",
                f"Mend it in {source}, or add the symbol to `venue.symbol`",
            )


OTHER_BOOKS = ("gateway", UNATTRIBUTED)
"""Whose orders and fills are tagged like those of a strategy."""


def _tagged(settings: Settings, origins: Mapping[str, str]) -> None:
    # A tag is short, and what two names share would be one position.
    owners = {strategy_tag(name): name for name in OTHER_BOOKS}
    for name in settings.strategy:
        other = owners.setdefault(strategy_tag(name), name)
        if other != name:
            source = origins[f"strategy.{name}.file"]
            raise SettingsError(
                f"{source}: the orders of `{name}` and of `{other}` would carry the same tag, "
                f"{strategy_tag(name)}",
                f"Choose another name for [strategy.{name}] in {source}",
            )


def _strategies(settings: Settings, origins: Mapping[str, str]) -> None:
    for name, strategy in settings.strategy.items():
        if strategy.mode != "off":
            _heard(settings, origins, name)
        if strategy.mode == "trade":
            _within(settings, origins, (f"strategy.{name}.budget", strategy.budget))


def _heard(settings: Settings, origins: Mapping[str, str], name: str) -> None:
    heard = settings.ingest.symbols or settings.venue.symbol
    for symbol in settings.strategy[name].symbols:
        if symbol not in heard:
            source = origins[f"strategy.{name}.symbols"]
            raise SettingsError(
                f"{source}: `strategy.{name}.symbols` names {symbol}: expected some of those that "
                f"this house trades, {' '.join(heard)}",
                f"Mend it in {source}, leave it empty for all of them, or set "
                f"`strategy.{name}.mode` to off",
            )


Named = tuple[str, float]
"""A setting and its value."""


def _within(settings: Settings, origins: Mapping[str, str], wish: Named) -> None:
    risk = settings.risk
    limits = (
        ("risk.max_position_notional", risk.max_position_notional),
        ("risk.max_gross_exposure", risk.max_gross_exposure),
    )
    for limit in limits:
        if wish[1] > limit[1]:
            raise _contradiction(origins, wish, limit, "at most", "its orders would be denied")


def _contradiction(
    origins: Mapping[str, str], wish: Named, other: Named, relation: str, why: str
) -> SettingsError:
    # Whoever changed one of the two is told where; the shipped values agree.
    changed = [name for name, _ in (wish, other) if origins[name] != SHIPPED] or [wish[0]]
    source = origins[changed[0]]
    return SettingsError(
        f"{source}: `{wish[0]}` is {wish[1]:g}: expected {relation} `{other[0]}`, {other[1]:g}; "
        f"{why}",
        f"Mend `{changed[0]}` in {source}, or change the other one with it",
    )


LESSON_BARS = 500
"""What a model is taught and measured on at least, with what its features look back on."""


def _teachable(settings: Settings, origins: Mapping[str, str]) -> None:
    predictor = settings.predictor
    needed = LESSON_BARS + 3 * predictor.horizon_bars
    if predictor.train and predictor.history_bars < needed:
        names = ("predictor.history_bars", "predictor.horizon_bars")
        changed = next((name for name in names if origins[name] != SHIPPED), names[0])
        raise SettingsError(
            f"{origins[changed]}: `predictor.history_bars` is {predictor.history_bars}: expected "
            f"at least {needed}, {LESSON_BARS} and three horizons, or no model can be trained",
            f"Mend `{changed}` in {origins[changed]}, or set `predictor.train` to false",
        )


def _funded(settings: Settings, origins: Mapping[str, str], traded: Sequence[str]) -> None:
    source = origins["venue.balances"]
    assets = [balance.partition(" ")[0] for balance in settings.venue.balances]
    _once("venue.balances", assets)
    quote = traded[0].partition("/")[2]
    # A recording in another quote asset may be watched with the shipped play money.
    if quote not in assets and source != SHIPPED:
        held = " ".join(assets) or "nothing"
        raise SettingsError(
            f"{source}: `venue.balances` holds {held}: expected some {quote}, "
            "which everything here is paid with",
            f'Add "{quote} 100000", or another amount, to it in {source}',
        )
