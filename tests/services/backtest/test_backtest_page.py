"""The page of a run: it opens alone, says all, and takes nothing that a strategy wrote for code."""

import re
from html.parser import HTMLParser

import pytest

from services.backtest.figures import About
from services.backtest.page import page
from services.backtest.page_plots import MARKS_MAX, POINTS_MAX
from services.backtest.record import record_of
from tests.services.backtest.tallied import SYMBOL, Market, record

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
VOID = {"meta", "line", "path", "br", "img"}


class Reader(HTMLParser):
    """Collects the tags of a page, and sees to it that each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_a_page_holds_pictures_figures_trips_and_settings() -> None:
    text = page(record().picture())
    reader = read(text)
    assert reader.tags.count("svg") == 3
    for told in ("made_up on BTC/USDT", "buy and hold", "win rate", "risk.daily_loss", "By exit"):
        assert told in text
    assert "Sharpe Ratio" in text and "fingerprint" in text
    assert text.count('class="in"') == text.count('class="out"') == 6


def test_a_page_asks_nobody_for_anything() -> None:
    text = page(record().picture())
    named = {name for name, _ in read(text).attributes}
    assert not named & {"src", "href", "style", "onclick"}
    assert "default-src 'none'" in text
    assert not re.findall(r"https?://|url\(|@import", text)


def test_what_a_strategy_wrote_stays_text() -> None:
    text = page(record(strategy=HOSTILE, why=HOSTILE, settings={HOSTILE: HOSTILE}).picture())
    reader = read(text)
    assert "img" not in reader.tags
    assert reader.tags.count("script") == 4
    assert "alert(1)</script>" not in text


def test_the_same_run_has_the_same_page() -> None:
    assert page(record().picture()) == page(record().picture())


def test_a_run_without_a_trade_has_a_page() -> None:
    text = page(record(trips=0).picture())
    assert read(text).tags.count("svg") == 3
    assert "By entry" not in text


@pytest.mark.parametrize("step", [0, 1])
def test_a_long_run_is_drawn_with_few_points(step: int) -> None:
    market = Market()
    for number in range(20_000):
        market.bar(60_000 + step * (number % 997))
        if number % 10 == 0:
            market.trip(60_000, 60_001)
    about = About(run_id="ab", strategy="s", symbols=(SYMBOL,), timeframe="1m")
    text = page(record_of(about, market.tally).picture())
    assert len(text) < 1_500_000
    paths = re.findall(r'class="curve \w+" d="([^"]*)"', text)
    assert max(path.count("L") for path in paths) <= POINTS_MAX
    assert text.count('class="in"') == MARKS_MAX
    assert f"the {MARKS_MAX} largest of 2000 trips" in text
