"""`rrr kill`, `resume` and `risk` as processes, against control sockets that answer."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.house import House
from bus.wire import Wire
from services.rrr.kill import leave_file
from tests.services.bare import bare_house
from tests.services.rrr.answering import Answers, Services

LEVEL = {"level": "HALTED", "by": "ann:7", "why": "storm", "since": "2026-01-01T00:00:00Z"}
STOP = {
    "what": "kill level HALTED", "scope": "house", "since": "2026-01-01T00:00:00Z",
    "by": "ann:7", "why": "storm", "release": 'rrr resume "why"',
}  # fmt: skip
CALM: Answers = {
    ("gateway", "stops"): (True, "", [STOP]),
    ("gateway", "level"): (True, "", LEVEL),
    ("gateway", "kill"): (True, "latched", None),
    ("gateway", "resume"): (True, "ACTIVE again", None),
    ("gateway", "resume-symbol"): (True, "BTC/USDT trades again", None),
    ("risk", "stops"): (True, "", []),
    ("risk", "release"): (True, "daily_loss is released", None),
    ("risk", "limits"): (True, "", [{"name": "daily_loss", "value": "2000", "used": "17.5"}]),
    ("engine", "stops"): (True, "", []),
    ("engine", "pause"): (True, "pulse is paused", None),
    ("engine", "resume"): (True, "pulse goes on", None),
}


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


@pytest.fixture
def services(house: House) -> Iterator[Services]:
    made = Services(house, ("gateway", "risk", "engine"), CALM)
    yield made
    made.close()


def kill_file(house: House) -> Path:
    return house.run / "KILL"


@pytest.mark.parametrize(
    ("words", "level", "why"),
    [
        ((), "HALTED", "by hand"),
        (("storm",), "HALTED", "storm"),
        (("storm", " on the\nexchange"), "HALTED", "storm on the exchange"),
        (("x", "--level", "reducing"), "REDUCING", "x"),
        (("--reduce",), "REDUCING", "by hand"),
        (("--flatten", "x"), "FLATTEN", "x"),
        (("--flatten", "--reduce", "--level", "halted"), "FLATTEN", "by hand"),
    ],
)
def test_a_kill_goes_straight_to_the_gateway(
    services: Services, words: tuple[str, ...], level: str, why: str
) -> None:
    done = services.rrr("kill", *words)
    assert done.code == 0, done.err
    assert done.told == [("gateway", "kill", level, why)]
    assert done.out.startswith("Latched: HALTED since 2026-01-01T00:00:00Z, by ann:7: storm")
    assert not kill_file(services.house).exists()


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("it \udcff\udcfe \x1b[31mburns\n now", "it \ufffd\ufffd [31mburns now"),
        ("ünï €", "ünï €"),
        ("-5", "-5"),
        ("a" * 70_000, "a" * 1000),
        (" \t ", "by hand"),
    ],
)
def test_a_kill_is_not_refused_for_how_it_was_said(
    services: Services, typed: str, why: str
) -> None:
    done = services.rrr("kill", "--", typed)
    assert done.code == 0, done.err
    assert done.told == [("gateway", "kill", "HALTED", why)]


def test_a_long_complaint_is_shortened(house: House) -> None:
    done = Services(house, (), {}).rrr("why", "x" * 50_000)
    assert done.code == 1
    assert len(done.err) < 3000


def test_a_kill_needs_no_settings(services: Services) -> None:
    (services.house.root / "settings.local.toml").write_text("this is [not toml")
    done = services.rrr("kill", "storm", "--json")
    assert json.loads(done.out) == {"latched": True, **LEVEL}


def test_a_kill_without_a_gateway_leaves_a_file(house: House) -> None:
    done = Services(house, (), {}).rrr("kill", "storm", "--flatten")
    assert done.code == 4
    assert "KILL was written instead" in done.err
    assert kill_file(house).read_text() == "FLATTEN storm\n"
    assert stat.S_IMODE(kill_file(house).stat().st_mode) == 0o600
    assert [path.name for path in house.run.iterdir()] == ["KILL"]


def test_a_gateway_that_hangs_is_left_a_file(house: House) -> None:
    wire = Wire(house.run, "gateway")
    done = Services(house, (), {}).rrr("kill", "--json")
    wire.close()
    assert done.code == 4
    assert json.loads(done.out) == {
        "latched": False, "file": str(kill_file(house)), "level": "HALTED", "why": "by hand",
    }  # fmt: skip


def test_a_gateway_that_refuses_a_kill_is_left_a_file(house: House) -> None:
    services = Services(house, ("gateway",), {("gateway", "kill"): (False, "it drains", None)})
    done = services.rrr("kill")
    services.close()
    assert done.code == 1
    assert "it drains" in done.err
    assert kill_file(house).exists()


def test_a_stricter_order_that_waits_stays(house: House) -> None:
    leave_file(house.run, "FLATTEN", "first")
    leave_file(house.run, "REDUCING", "second")
    assert kill_file(house).read_text() == "FLATTEN second\n"
    kill_file(house).write_bytes(b"\xff nonsense")
    leave_file(house.run, "HALTED", "third")
    assert kill_file(house).read_text() == "HALTED third\n"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("all is well",), ("gateway", "resume", "all is well")),
        (("BTC/USDT", "looked"), ("gateway", "resume-symbol", "BTC/USDT", "looked")),
        (("btc/usdt", "looked"), ("gateway", "resume-symbol", "BTC/USDT", "looked")),
        (("--limit", "daily_loss", "seen"), ("risk", "release", "daily_loss", "seen")),
    ],
)
def test_a_person_lets_it_trade_again(
    services: Services, words: tuple[str, ...], command: tuple[str, ...]
) -> None:
    done = services.rrr("resume", *words, "--yes")
    assert done.code == 0, done.err
    assert done.told == [command]
    assert "SIMULATED MARKET AND MONEY" in done.out


def test_resume_shows_what_stops_it_first(services: Services) -> None:
    out = services.rrr("resume", "all is well", "--yes").out
    assert "house: kill level HALTED, since 2026-01-01T00:00:00Z, by ann:7: storm" in out
    assert out.splitlines()[-1] == "ACTIVE again"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("",),
        ("  ",),
        ("BTC/USDT",),
        ("BTC/USDT", ""),
        ("--limit", "daily_loss", " "),
        ("why", "and", "why"),
        ("btc/usdt",),
    ],
)
def test_resume_needs_a_reason(services: Services, words: tuple[str, ...]) -> None:
    done = services.rrr("resume", *words, "--yes")
    assert (done.code, done.told) == (2, [])


def test_resume_is_refused_while_the_kill_file_lies_there(services: Services) -> None:
    leave_file(services.house.run, "HALTED", "storm")
    done = services.rrr("resume", "over", "--yes")
    assert (done.code, done.told) == (3, [])
    assert str(kill_file(services.house)) in done.err
    assert services.rrr("resume", "BTC/USDT", "looked", "--yes").code == 0
    done = services.rrr("resume", "over", "--yes", "--remove-file")
    assert done.told == [("gateway", "resume", "over")]
    assert not kill_file(services.house).exists()


def test_the_file_stays_while_no_gateway_answers(house: House) -> None:
    leave_file(house.run, "HALTED", "storm")
    done = Services(house, (), {}).rrr("resume", "over", "--yes", "--remove-file")
    assert done.code == 4
    assert kill_file(house).exists()


def test_nobody_at_a_terminal_needs_to_say_yes(services: Services) -> None:
    done = services.rrr("resume", "over")
    assert (done.code, done.told) == (2, [])
    assert "--yes" in done.err


@pytest.mark.parametrize(("typed", "code"), [(b"resume\n", 0), (b"no\n", 1)])
def test_a_person_types_the_word(services: Services, typed: bytes, code: int) -> None:
    ours, theirs = os.openpty()
    services.typing = ours
    done = services.rrr("resume", "over", stdin=theirs, typed=typed)
    os.close(ours)
    os.close(theirs)
    assert done.code == code, done.err
    assert bool(done.told) == (code == 0)


def test_a_refusal_of_the_gateway_is_told(house: House) -> None:
    refusing = dict(CALM) | {("gateway", "resume"): (False, "an order is UNCONFIRMED", None)}
    services = Services(house, ("gateway",), refusing)
    done = services.rrr("resume", "over", "--yes", "--json")
    services.close()
    assert done.code == 1
    assert json.loads(done.out) == {"ok": False, "text": "an order is UNCONFIRMED"}


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("pause", "pulse", "odd"), ("engine", "pause", "pulse", "odd")),
        (("resume", "pulse", "mended", "--yes"), ("engine", "resume", "pulse", "mended")),
    ],
)
def test_a_strategy_is_paused_and_resumed(
    services: Services, words: tuple[str, ...], command: tuple[str, ...]
) -> None:
    assert services.rrr("strategy", *words).told == [command]


def test_risk_shows_its_limits_with_their_use(services: Services) -> None:
    done = services.rrr("risk", "--json")
    (found,) = json.loads(done.out)
    assert (found["name"], found["value"], found["used"]) == ("daily_loss", "2000", "17.5")
    assert services.rrr("risk").out.splitlines()[1:] == [
        "LIMIT       VALUE  USED  SHARE  SOURCE",
        "daily_loss  2000   17.5  0%     settings",
    ]


def test_without_risk_its_limits_are_unreachable(house: House) -> None:
    assert Services(house, (), {}).rrr("risk").code == 4
