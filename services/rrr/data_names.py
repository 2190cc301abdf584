"""What the name of a file says of its bars: symbol, timeframe, exchange, and what it is not."""

import re

import msgspec

from schema.setting_types import TIMEFRAMES_NS

QUOTES = (
    *("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "GBP", "TRY", "JPY", "AUD", "BRL"),
    *("BTC", "ETH", "BNB", "DAI"),
)
"""What a name without a separator may end with; the longest that fits is the quote asset."""

EXCHANGES = (
    *("binanceusdm", "binance", "bitfinex", "bitstamp", "bybit", "coinbase", "gateio", "gemini"),
    *("kraken", "kucoin", "okx", "poloniex"),
)
OTHER_KINDS = {
    "funding_rate": "funding rates",
    "fundingrate": "funding rates",
    "mark": "mark prices",
    "premiumindex": "a premium index",
    "index": "index prices",
    "trades": "trades",
    "aggtrades": "trades",
    "quote": "quotes",
    "depth": "depth",
}
"""Words of a name, and what such a file holds instead of bars of trades."""

WORDS_OF_FRAMES = {"minute": "1m", "hour": "1h", "daily": "1d", "day": "1d", "d": "1d"}
ENDINGS = (".csv", ".txt", ".json", ".parquet", ".zip", ".gz")

_FRAME = re.compile(r"([0-9]{1,3})(m|h|d|min|hour|day|s|w|mo|M)")
_PAIR = re.compile(r"([A-Z0-9]{2,12})[-_/]([A-Z0-9]{2,6})(?:[-_:]([A-Z0-9]{2,6}))?")
_JOINED = re.compile(r"[A-Z0-9]{4,18}")
_DAY = re.compile(r"((?:19|20)[0-9]{6})_[a-z0-9]+_minute_trade")


class Named(msgspec.Struct, frozen=True):
    """What a name says; empty where it says nothing."""

    symbol: str = ""
    timeframe: str = ""
    exchange: str = ""
    other: str = ""  # what the file holds instead of bars
    day: str = ""  # yyyymmdd: LEAN writes milliseconds since the midnight of its minute files


def named(name: str, folder: str = "") -> Named:
    """Return what a file's name says; its folder is asked for what the name leaves open."""
    stem = _stem(name)
    words = [word for word in re.split(r"[^a-z0-9]+", stem.lower()) if word]
    frame = _frame(words) or _frame(re.split(r"[^a-z0-9]+", folder.lower()))
    day = _DAY.match(stem.lower())
    return Named(
        symbol=_symbol(stem),
        timeframe=frame,
        exchange=next((word for word in words if word in EXCHANGES), ""),
        other=_other(stem.lower(), words),
        day=day[1] if day is not None else "",
    )


def is_known(timeframe: str) -> bool:
    """Return whether the house keeps bars of a timeframe."""
    return timeframe in TIMEFRAMES_NS


def joined(text: str) -> str:
    """Return `BTC/USDT` for BTCUSDT; empty where no quote asset ends it."""
    for quote in sorted(QUOTES, key=len, reverse=True):
        base = text.removesuffix(quote)
        if base != text and len(base) >= len("BT"):
            return f"{base}/{quote}"
    return ""


def _stem(name: str) -> str:
    stem, shorter = name, ""
    while stem != shorter:
        shorter = stem
        for ending in ENDINGS:
            if stem.lower().endswith(ending):
                stem = stem[: -len(ending)]
    return stem


def _frame(words: list[str]) -> str:
    for word in words:
        found = _FRAME.fullmatch(word)
        if found is not None:
            unit = {"min": "m", "hour": "h", "day": "d"}.get(found[2], found[2])
            return f"{int(found[1])}{unit}"
    return next((WORDS_OF_FRAMES[word] for word in words if word in WORDS_OF_FRAMES), "")


def _other(stem: str, words: list[str]) -> str:
    kind = next((word for word in OTHER_KINDS if word in words), "")
    if "funding_rate" in stem:
        kind = "funding_rate"
    return OTHER_KINDS.get(kind, "")


def _symbol(stem: str) -> str:
    upper = stem.upper()
    pair = next((found for found in _PAIR.finditer(upper) if _is_pair(found)), None)
    if pair is not None:
        settle = f":{pair[3]}" if pair[3] in QUOTES else ""
        return f"{pair[1]}/{pair[2]}{settle}"
    words = [word for word in re.split(r"[^A-Z0-9]+", upper) if _JOINED.fullmatch(word)]
    return next((symbol for word in words if (symbol := joined(word))), "")


def _is_pair(found: "re.Match[str]") -> bool:
    # The word before a quote asset is a base only when it is none of the words of other things.
    before = found.string[found.start() - 1 : found.start()]
    base = found[1].lower()
    known = base in OTHER_KINDS or base in EXCHANGES or base == "cdd"
    return found[2] in QUOTES and not known and not before.isalnum()
