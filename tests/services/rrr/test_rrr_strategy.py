"""`rrr strategy` beside an engine that answers: what is written, offered and refused."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from bus.settings import load
from services.engine import sources
from tests.services.bare import bare_house
from tests.services.rrr.answering import Services
from tests.services.rrr.verb_desk import (
    SOURCE,
    House,
    asked,
    offered,
    row,
    running,
    source,
    verbs,
    write,
)

FILE = "strategies/mine.py"
HELD: dict[str, Any] = {"symbols": [{"symbol": "BTC/USDT", "position": "0.5", "wants": "0.5"}]}
TABLE = """\
[strategy.mine]  # on trial
file = "strategies/mine.py"
budget = 1000
symbols = ["BTC/USDT"]
mode = "shadow"
"""


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        write(made)
        yield made


def said(house: House) -> str:
    path = house.root / "settings.local.toml"
    return path.read_text() if path.exists() else ""


def wrote(house: House, text: str = TABLE) -> None:
    (house.root / "settings.local.toml").write_text(text)


def strategy(house: House, name: str = "mine") -> Any:
    return load(house.root, {}).settings.strategy[name]


def test_an_added_strategy_is_written_kept_and_offered(house: House) -> None:
    words = ("--budget", "500", "--symbols", "btc/usdt", "--shadow", "--set", "fast=12", "--yes")
    done = verbs(house, "add", FILE, *words, "--why", "a trial", answers=running())
    assert done.code == 0, done.err
    offer, why = offered(done)
    assert (offer.name, offer.role, offer.budget, why) == ("mine", "shadow", 500.0, "a trial")
    assert (offer.symbols, offer.params) == (("BTC/USDT",), {"fast": 12})
    assert sources.kept(house, offer.digest) == offer.files
    own = strategy(house)
    assert (own.file, own.budget, own.mode, own.params) == (FILE, 500, "shadow", {"fast": 12})
    assert "decides and orders nothing" in done.out


def test_an_added_strategy_waits_for_a_house_that_is_down(house: House) -> None:
    done = verbs(house, "add", FILE, "--name", "other", "--yes")
    assert done.code == 0, done.err
    assert "no engine runs: it begins with the next `rrr up`" in done.out
    assert strategy(house, "other").budget == 1000


def test_a_strategy_of_the_settings_is_added_by_its_name(house: House) -> None:
    wrote(house, TABLE.replace("shadow", "off"))
    offer, why = offered(verbs(house, "add", "mine", "--yes", answers=running()))
    assert (offer.name, offer.role, why) == ("mine", "trade", "by hand")
    assert strategy(house).mode == "trade"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("strategies/none.py",), "no such file"),
        ((FILE, "--name", "trend"), "is named 'trend' already"),
        ((FILE, "--name", "engine"), "is no name"),
        ((FILE, "--set", "fast=99"), "expected a value within 5..50"),
        ((FILE, "--set", "fats=9"), "the nearest is `fast`"),
        ((FILE, "--symbols", "DOGE/USDT"), "expected some of those that this house trades"),
        ((FILE, "--budget", "900000"), "risk.max_position_notional"),
        (("trand",), "the nearest is 'trend'"),
    ],
)
def test_what_would_not_run_is_refused_before_anything_is_written(
    house: House, words: tuple[str, ...], told: str
) -> None:
    done = verbs(house, "add", *words, "--yes", answers=running())
    assert done.code != 0
    assert told in done.err
    assert (asked(done), said(house)) == ([], "")


def test_a_file_that_does_not_load_is_refused_with_its_line(house: House) -> None:
    write(house, text=SOURCE.replace("view.sma(10)", "view.sma(10"))
    done = verbs(house, "add", FILE, "--yes", answers=running())
    assert (done.code, asked(done), said(house)) == (1, [], "")
    assert "strategies/mine.py line " in done.err


def test_the_settings_are_as_they_were_when_the_engine_refuses(house: House) -> None:
    wrote(house)
    refuses = running(row(house), refuses="state `best` was 'a', expected float")
    done = verbs(house, "reload", "mine", "a wider stop", "--yes", answers=refuses)
    assert done.code == 1
    assert "the engine refused it: state `best`" in done.err
    assert "The old one runs on" in done.err
    for verb in (("budget", "mine", "2000", "why"), ("set", "mine", "fast=12", "why")):
        assert verbs(house, *verb, "--yes", answers=refuses).code == 1
    assert said(house) == TABLE
    assert verbs(house, "add", FILE, "--name", "x", "--yes", answers=refuses).code == 1
    assert said(house) == TABLE


def test_a_reload_shows_what_changes_before_it_is_offered(house: House) -> None:
    wrote(house)
    sources.keep(house, source(house))
    before = row(house, mode="shadow")
    edited = SOURCE.replace("fast: int = 10", "fast: int = 12").replace(
        "best: float = 0.0", "best: float = 0.0\n        lows: int = 3"
    )
    write(house, text=edited)
    done = verbs(house, "reload", "mine", "a wider stop", "--yes", answers=running(before))
    assert done.code == 0, done.err
    assert "params.fast: 10 -> 12" in done.out
    assert "`lows` begins with 3" in done.out
    assert f"source: {before['digest'][:8]} -> " in done.out
    offer, why = offered(done)
    assert (offer.digest, why) == (source(house).digest, "a wider stop")


def test_a_parameter_that_is_not_live_waits_until_the_position_is_closed(house: House) -> None:
    wrote(house)
    held = running(row(house, mode="shadow", **HELD))
    done = verbs(house, "set", "mine", "fast=12", "faster", "--yes", answers=held)
    assert done.code == 1
    assert "parameter `fast` is not live, and mine holds BTC/USDT: live are weight" in done.err
    assert said(house) == TABLE
    live = verbs(house, "set", "mine", "weight=0.3", "more", "--yes", answers=held)
    assert offered(live)[0].params == {"weight": 0.3}
    flat = running(row(house, mode="shadow"))
    free = verbs(house, "set", "mine", "fast=12", "faster", "--yes", answers=flat)
    assert offered(free)[0].params == {"weight": 0.3, "fast": 12}
    assert strategy(house).params == {"weight": 0.3, "fast": 12}


@pytest.mark.parametrize(
    ("words", "role", "budget"),
    [
        (("budget", "mine", "2000", "it earned it"), "shadow", 2000.0),
        (("promote", "mine", "a week"), "trade", 1000.0),
        (("shadow", "mine", "a loss"), "shadow", 1000.0),
    ],
)
def test_budget_and_mode_change_in_the_settings_and_the_engine(
    house: House, words: tuple[str, ...], role: str, budget: float
) -> None:
    wrote(house)
    done = verbs(house, *words, "--yes", answers=running(row(house)))
    assert done.code == 0, done.err
    offer, why = offered(done)
    assert (offer.role, offer.budget, why) == (role, budget, words[-1])
    assert (strategy(house).mode, strategy(house).budget) == (role, budget)
    assert "# on trial" in said(house)


def test_only_a_shadow_is_promoted(house: House) -> None:
    done = verbs(house, "promote", "threshold", "why", "--yes", answers=running())
    assert (done.code, asked(done)) == (1, [])
    assert "threshold is no shadow" in done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("add", FILE),
        ("reload", "mine", "why"),
        ("set", "mine", "fast=12", "why"),
        ("budget", "mine", "7", "why"),
        ("promote", "mine", "why"),
        ("drop", "mine", "why"),
        ("pause", "mine", "why", "--close"),
        ("resume", "mine", "why"),
    ],
)
def test_nobody_at_a_terminal_changes_nothing_without_saying_yes(
    house: House, words: tuple[str, ...]
) -> None:
    wrote(house, TABLE if words[0] != "add" else "")
    done = verbs(house, *words, answers=running(row(house, mode="shadow")))
    assert done.code == 2
    assert "add --yes" in done.err
    assert asked(done) == []
    assert said(house) in {TABLE, ""}


def test_a_dropped_strategy_leaves_settings_and_engine(house: House) -> None:
    wrote(house)
    held = running(row(house, **HELD))
    done = verbs(house, "drop", "mine", "no use", "--yes", answers=held)
    assert done.code == 0, done.err
    assert asked(done) == [("retire", "mine", "no use")]
    assert "it holds BTC/USDT 0.5: the stop stays" in done.out
    assert "strategy.mine" not in said(house)


def test_a_dropped_strategy_that_was_shipped_is_off(house: House) -> None:
    done = verbs(house, "drop", "threshold", "no use", "--yes")
    assert done.code == 0, done.err
    assert strategy(house, "threshold").mode == "off"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("pause", "mine", "storm"), ("pause", "mine", "storm")),
        (("pause", "mine", "storm", "--close", "--yes"), ("close", "mine", "storm")),
        (("resume", "mine", "calm", "--yes"), ("resume", "mine", "calm")),
    ],
)
def test_a_pause_asks_nobody_and_what_sells_or_releases_does(
    house: House, words: tuple[str, ...], command: tuple[str, ...]
) -> None:
    done = verbs(house, *words, answers=running(row(house, **HELD)))
    assert done.code == 0, done.err
    assert asked(done) == [command]


def test_a_pause_works_with_settings_that_do_not(house: House) -> None:
    wrote(house, "this is [not toml")
    done = verbs(house, "pause", "mine", "storm", answers=running())
    assert asked(done) == [("pause", "mine", "storm")]


@pytest.mark.parametrize(("typed", "code"), [(b"promote\n", 0), (b"yes\n", 1)])
def test_a_person_types_the_verb(house: House, typed: bytes, code: int) -> None:
    wrote(house)
    ours, theirs = os.openpty()
    services = Services(house, ("engine",), running(row(house, mode="shadow")))
    services.typing = ours
    done = services.rrr("strategy", "promote", "mine", "a week", stdin=theirs, typed=typed)
    services.close()
    os.close(ours)
    os.close(theirs)
    assert done.code == code, done.err
    assert "trade: it orders, budget 1000, in BTC/USDT" in done.out
    assert bool(asked(done)) == (code == 0)
    assert strategy(house).mode == ("shadow" if code else "trade")


def test_a_value_that_no_setting_takes_is_told_as_it_was_typed(house: House) -> None:
    wrote(house)
    done = verbs(house, "budget", "mine", "inf", "more", "--yes", answers=running(row(house)))
    assert (done.code, said(house)) == (1, TABLE)
    assert "`strategy.mine.budget` is inf" in done.err
    assert "Mend it in settings.local.toml" not in done.err
    assert "nothing was changed" in done.err


def test_a_link_to_itself_is_no_file(house: House) -> None:
    loop = house.root / "strategies" / "loop.py"
    loop.symlink_to(loop)
    done = verbs(house, "add", "strategies/loop.py", "--yes", answers=running())
    assert (done.code, "no such file" in done.err, "Traceback" in done.err) == (1, True, False)


@pytest.mark.slow  # It may take some seconds until it is ended.
def test_a_file_that_never_ends_its_import_is_ended(house: House) -> None:
    write(house, text=SOURCE + "\nwhile True:\n    pass\n")
    done = verbs(house, "add", FILE, "--yes", answers=running())
    assert (done.code, said(house), asked(done)) == (1, "", [])
    assert f"{FILE}: it is not loaded after 10 s" in done.err


def test_a_source_that_is_no_text_finds_no_way_to_the_engine(house: House) -> None:
    write(house, text=SOURCE.replace('"""A strategy."""', f'"""{chr(1) * 200_000}"""'))
    done = verbs(house, "add", FILE, "--yes", answers=running())
    assert (done.code, said(house), asked(done)) == (1, "", [])
    assert "bytes on its way to the engine, at most 917504 travel" in done.err
