"""What `rrr strategy check` finds: each fault is planted once, and a good strategy passes."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bus.errors import HouseError
from services.backtest.again import agree
from services.backtest.findings import first_difference
from services.backtest.witness import packed
from services.engine.sources import offer_of
from services.engine.strategy import Target
from tests.services.bare import ROOT, bare_house
from tests.services.rrr.check_desk import SYMBOL, checked, failed, levels, offer, write_csv
from tests.services.rrr.verb_desk import House, verbs
from tests.services.shipped import shipped


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


GOOD = """
class Good(Strategy):
    timeframe, warmup = "1m", 60

    class Params(Params):
        bars: int = 20  # 5..50

    class State(State):
        above: int = 0

    def on_bar(self, bar, view):
        mean = view.sma(self.params.bars)
        self.state.above = self.state.above + 1 if bar.close > mean else 0
        if self.state.above > 2:
            return Target.weight(0.5, stop=bar.close * 0.9, why="above")
        return Target.flat("below") if bar.close < mean else None
"""

HEAD = """
{top}

class Planted(Strategy):
    timeframe, warmup = "1m", 50
    {within}

    def on_bar(self, bar, view):
        mean = view.sma(20)
"""
TAIL = """
        return Target.weight(0.5) if wanted else Target.flat()
"""


def planted(lines: str, top: str = "", within: str = "") -> str:
    body = "\n".join(f"        {line}" for line in lines.splitlines())
    return HEAD.format(top=top, within=within) + body + TAIL


FAULTS = {
    "a module variable": (
        planted("SEEN.append(bar.close)\nwanted = bar.close >= max(SEEN[-200:])", top="SEEN = []"),
        {"future", "state"},
        "Keep what it remembers in State alone",
    ),
    "a list in the class": (
        planted("self.cache.append(mean)\nwanted = len(self.cache) % 7 == 0", within="cache = []"),
        {"future", "state"},
        "no class attribute",
    ),
    "luck": (
        planted("wanted = random.random() < 0.5", top="import random"),
        {"future", "state"},
        "no randomness",
    ),
    "the clock": (
        planted("wanted = time.time() % 2 < 1", top="import time"),
        {"outside"},
        "looks at the clock: time.time()",
    ),
    "today": (
        planted(
            "wanted = bar.close > mean and datetime.now().year > 2000",
            top="from datetime import datetime",
        ),
        {"outside"},
        "looks at the clock: now()",
    ),
    "an ema that is longer than the warm-up": (
        planted("wanted = bar.close > view.ema(200)"),
        {"warm-up"},
        "ema(200)",
    ),
    "a short on spot": (
        planted("if bar.close < mean:\n    return Target.weight(-0.5)\nwanted = True"),
        {"targets"},
        "it wants a short, weight(size -0.5)",
    ),
    "an attribute": (
        planted("self.best = bar.close\nwanted = True"),
        {"targets"},
        "write self.state.best",
    ),
    "a stop on the wrong side": (
        planted("return Target.weight(0.5, stop=bar.close * 2)\nwanted = 0"),
        {"targets"},
        "its stop is on the wrong side of the price at",
    ),
    "a weight over the budget": (
        planted("return Target.weight(3.0)\nwanted = 0"),
        {"targets"},
        "expected a weight from -1 to 1",
    ),
    "nonsense": (
        planted("return 5\nwanted = 0"),
        {"targets"},
        "expected a Target or None, found int",
    ),
    "an import while it is called": (
        planted("import plistlib\nwanted = bar.close > mean"),
        {"outside"},
        "imports plistlib, when it is called",
    ),
    "a network": (
        planted("socket.socket().close()\nwanted = bar.close > mean", top="import socket"),
        {"outside"},
        "uses the network",
    ),
    "a loop without an end": (
        planted("while True: pass\nwanted = 0"),
        {"targets"},
        "it took too long",
    ),
}


QUICK = ("a module variable", "an ema that is longer than the warm-up", "a short on spot")
EACH = [pytest.param(f, marks=() if f in QUICK else pytest.mark.slow) for f in FAULTS]


@pytest.mark.parametrize("fault", EACH)
def test_each_planted_fault_is_found_and_told(fault: str) -> None:
    text, checks, words = FAULTS[fault]
    found = failed(offer(text))
    assert checks <= found.keys(), found
    assert any(words in told for told in found.values()), found


@pytest.mark.slow
def test_a_file_that_knows_the_future_is_found(tmp_path: Path) -> None:
    future = tmp_path / "future.csv"
    future.write_text("1")
    ahead, top = f"float(Path({str(future)!r}).read_text())", "from pathlib import Path\n"
    reads = planted(f"wanted = {ahead} > 0 and bar.close > mean", top=top)
    loads = planted("wanted = AHEAD > 0 and bar.close > mean", top=f"{top}AHEAD = {ahead}")
    for text, when in ((reads, "called"), (loads, "loaded")):
        assert f"opens {future}, when it is {when}" in failed(offer(text))["outside"]


@pytest.mark.slow
def test_a_set_that_hangs_on_the_seed_of_hashes_is_found() -> None:
    walk = "names = list({f'name {n}' for n in range(20)})\n"
    place = "at = bar.open_ns // view.bar_ns % 19\n"
    found = failed(offer(planted(f"{walk}{place}wanted = names[at] < names[at + 1]")))
    assert found.keys() == {"elsewhere"}, found
    assert "Sort a set" in found["elsewhere"]


def test_a_state_that_a_restart_would_not_give_back_does_not_load() -> None:
    state = "class State(State):\n        seen: set[int] = set()"
    with pytest.raises(HouseError, match=r"State\.seen"):
        checked(offer(planted("wanted = True", within=state)))


@pytest.mark.slow
def test_what_a_library_puts_off_is_no_import_of_theirs() -> None:
    parses = "wanted = datetime.strptime('2026', '%Y').year > 2000 and bar.close > mean"
    found = checked(offer(planted(parses, top="from datetime import datetime")))
    assert found["outside"].level == "ok", found["outside"].told


def test_a_good_strategy_passes_every_check() -> None:
    found = checked(offer(GOOD))
    assert {check: one.level for check, one in found.items()} == dict.fromkeys(
        ["future", "warm-up", "state", "elsewhere", "outside", "time", "targets"], "ok"
    )


@pytest.mark.slow
def test_the_shipped_example_passes_every_check() -> None:
    own = shipped().strategy["trend"]
    found = checked(offer_of(ROOT, "trend", own, (SYMBOL,)), bars=12_000)
    assert {one.level for one in found.values()} == {"ok"}, found


@pytest.mark.slow
def test_a_short_warm_up_is_told_with_how_many_bars_suffice() -> None:
    told = failed(offer(planted("wanted = bar.close > view.ema(200)")))["warm-up"]
    assert "warmup 50 is too short: at 20" in told
    assert "x as many bars it agrees: write warmup = " in told


@pytest.mark.slow
def test_what_is_only_odd_is_a_warning() -> None:
    never = offer(planted("wanted = False", within="class Params(Params):\n        fast: int = 3"))
    found = checked(never)
    assert {one.level for one in found.values()} == {"ok", "warning"}
    assert "it never enters" in found["targets"].told
    assert "no range is written behind fast" in found["parameters"].told
    busy = checked(offer(planted("wanted = not view.position")))
    assert "each time it pays a fee" in busy["targets"].told


def test_a_stretch_that_is_shorter_than_the_warm_up_fails() -> None:
    found = failed(offer(GOOD), bars=50)
    assert "it was never asked: 50 bars were heard" in found["targets"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (None, Target.keep("why"), True),
        (None, Target.flat(), False),
        (Target.weight(0.2, stop=100.0), Target.weight(0.2, stop=100.005), True),
        (Target.weight(0.2, stop=100.0), Target.weight(0.2, stop=100.05), False),
        (Target.weight(0.2, why="a"), Target.weight(0.2, why="b"), False),
        (Target.weight(0.2), Target.weight(0.21), False),
    ],
)
def test_two_answers_are_one_decision_when_they_are_near(
    one: Target | None,
    other: Target | None,
    *,
    same: bool,
) -> None:
    assert agree(packed(one), packed(other)) is same


def test_runs_part_where_their_first_difference_is() -> None:
    one, two = ("a", "on_bar", 1, b"", b""), ("a", "on_bar", 2, b"", b"")
    assert first_difference([one, two], [one, two]) is None
    assert first_difference([one, two], [two, two]) == 0
    assert first_difference([one], [one, two]) == 1


@pytest.mark.slow
def test_the_command_tells_each_check_and_ends_with_its_code(house: House, tmp_path: Path) -> None:
    bars = write_csv(tmp_path / "bars.csv")
    head = "from services.engine.strategy import Params, State, Strategy, Target\n"
    (house.root / "good.py").write_text(head + GOOD)
    (house.root / "bad.py").write_text(head + planted("return Target.weight(-1.0)\nwanted = 0"))
    words = ("--file", str(bars), "--symbol", SYMBOL)
    good = verbs(house, "check", "good.py", *words, "--json")
    assert good.code == 0, good.err
    assert set(levels(good.out).values()) == {"ok"}
    bad = verbs(house, "check", str(house.root / "bad.py"), *words, "--bars", "300")
    assert bad.code == 1
    assert "FAILED: targets" in bad.out
    assert "-> Return Target.flat() there" in bad.out


@pytest.mark.slow
def test_a_check_without_bars_or_without_a_strategy_says_what_to_do(house: House) -> None:
    unknown = verbs(house, "check", "trand")
    assert unknown.code == 1
    assert "the nearest is 'trend'" in unknown.err
    (house.root / "strategies").mkdir()
    (house.root / "strategies" / "trend.py").write_bytes(
        (ROOT / "strategies" / "trend.py").read_bytes()
    )
    bare = verbs(house, "check", "trend")
    assert bare.code != 0
    assert "--file" in bare.err


@pytest.mark.slow
def test_what_it_writes_as_json_names_the_source(house: House, tmp_path: Path) -> None:
    bars = write_csv(tmp_path / "bars.csv", bars=200)
    head = "from services.engine.strategy import Params, State, Strategy, Target\n"
    (house.root / "good.py").write_text(head + GOOD)
    done = verbs(house, "check", "good.py", "--file", str(bars), "--symbol", SYMBOL, "--json")
    said = msgspec.json.decode(done.out)
    assert (said["strategy"], said["symbols"], len(said["digest"])) == ("good", [SYMBOL], 64)
