"""`rrr live` as processes, against a gateway that answers as a test says."""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from bus.build import contract_hash
from bus.house import House, open_house
from services.rrr import rrr
from tests.services.bare import bare_house
from tests.services.rrr.answering import Answers, Done, Services
from tests.services.rrr.surveys import beat

ACCOUNT = "main7"
NAMES = ("gateway", "writer_trading")
GOOD = ["keys", "ok", "this user alone can read them"]
BAD = ["kill level", "fails", "HALTED by me", 'rrr resume "why"']
ADVICE = ["key address", "advice", "it works from any address", "bind it"]
WISH = {"account": ACCOUNT, "for_s": 604_800, "why": "it is time"}
ARM = ("live", "arm", "--for", "7d", "--why", "it is time")


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        local = f'mode = "live"\n[exchange]\naccount = "{ACCOUNT}"\n'
        (made.root / "settings.local.toml").write_text(local)
        # What is looked at from outside is asked of everybody: here there are two.
        programs = "\n".join(f"[program:{name}]" for name in NAMES)
        (made.root / "supervisord.conf").write_text(f"{programs}\n")
        yield open_house(made.root, {})


def standing(*conditions: list[str], armed: bool = False) -> dict[str, Any]:
    told = {"by": "ann:7", "why": "a try", "until": "2026-12-07T00:00:00Z"}
    by = told if armed else dict.fromkeys(told, "")
    known = {"account": ACCOUNT, "hindrance": "", "conditions": conditions}
    return {"armed": armed, **by, **known}


def answers(house: House, told: dict[str, Any], refuses: str, contract: str) -> Answers:
    done = (not refuses, refuses or "orders for real money may leave", None)
    signs = {
        name: msgspec.msgpack.encode(beat(name, contract=contract or contract_hash(house)))
        for name in NAMES
    }
    return {
        **{(name, "status"): (True, "READY", sign) for name, sign in signs.items()},
        ("gateway", "live"): (True, "", told),
        ("gateway", "arm"): done,
        ("gateway", "disarm"): done,
    }


def run(
    house: House,
    *words: str,
    told: dict[str, Any] | None = None,
    refuses: str = "",
    typed: str = "",
    contract: str = "",
    limits: dict[str, str] | None = None,
) -> Done:
    """Run `rrr` beside a gateway that tells how live trading stands, and risk its limits."""
    told = told if told is not None else standing(GOOD, ADVICE)
    rows = [{"name": name, "value": value} for name, value in (limits or {}).items()]
    known = {**answers(house, told, refuses, contract), ("risk", "limits"): (True, "", rows)}
    services = Services(house, (*NAMES, *(["risk"] if limits else [])), known)
    ends = os.openpty() if typed else ()
    try:
        if not ends:
            return services.rrr(*words)
        services.typing = ends[0]
        return services.rrr(*words, stdin=ends[1], typed=f"{typed}\n".encode())
    finally:
        services.close()
        for end in ends:
            os.close(end)


def changed(done: Done) -> list[tuple[str, ...]]:
    return [one for one in done.asked if one[1] in {"arm", "disarm"}]


def test_every_condition_is_a_line_with_what_to_do(house: House) -> None:
    done = run(house, "live", "check", told=standing(GOOD, BAD, ADVICE))
    assert done.code == 3
    lines = done.out.splitlines()
    assert lines[0].startswith("World: live-binance-main (live)   REAL MARKET AND MONEY")
    assert lines[1] == "Not armed"
    assert [line.split()[0] for line in lines[2:5]] == ["ok", "NO", "advice"]
    assert lines[3].endswith('kill level     HALTED by me -> rrr resume "why"')


def test_a_house_that_has_all_of_it_passes_the_check(house: House) -> None:
    done = run(house, "live", "check", "--json", told=standing(GOOD, ADVICE, armed=True))
    found = json.loads(done.out)
    assert (done.code, found["ok"], found["armed"]) == (0, True, True)
    assert found["conditions"][0] == {
        "name": "keys", "state": "ok", "text": GOOD[2], "todo": "",
    }  # fmt: skip
    assert {one["name"] for one in found["conditions"]} >= {"all contracts", "limits", "alerts"}


def test_other_code_anywhere_fails_the_check(house: House) -> None:
    done = run(house, "live", "check", contract="other")
    assert done.code == 3
    assert "rrr restart gateway writer_trading" in done.out


def test_the_check_works_while_the_house_is_down(house: House) -> None:
    done = Services(house, (), {}).rrr("live", "check")
    assert done.code == 3
    assert "gateway does not run -> rrr up" in done.out
    assert "secrets.toml is not there -> `rrr keys set`" in done.out


def test_it_is_armed_by_whoever_types_the_account(house: House) -> None:
    done = run(house, *ARM, typed=ACCOUNT)
    assert done.code == 0, done.err
    (asked,) = changed(done)
    assert json.loads(asked[2]) == WISH
    assert "one order at most 20000" in done.out


SET = {"max_order_notional": "4000", "daily_loss": "1000000000"}
"""What a person has set over the settings."""


def test_whoever_arms_sees_the_limits_that_hold_and_not_those_of_the_settings(house: House) -> None:
    done = run(house, *ARM, limits=SET | {"daily_loss": "300"}, typed=ACCOUNT)
    assert done.code == 0, done.err
    assert "one order at most 4000," in done.out
    assert "a day's loss 300" in done.out


def test_a_limit_that_was_lifted_fails_the_check(house: House) -> None:
    done = run(house, "live", "check", limits=SET)
    assert done.code == 3
    assert "daily_loss: without a limit" in done.out


def test_a_script_names_the_account_and_is_held_to_it(house: House) -> None:
    assert changed(run(house, *ARM, "--account", ACCOUNT))
    for other in ("main", "MAIN7"):
        done = run(house, *ARM, "--account", other)
        assert (done.code, changed(done)) == (1, [])
    done = run(house, *ARM)
    assert (done.code, changed(done)) == (2, [])
    assert "add --account" in done.err


def test_another_word_than_the_account_arms_nothing(house: House) -> None:
    done = run(house, *ARM, typed="yes")
    assert (done.code, changed(done)) == (1, [])


def test_nothing_is_armed_while_a_condition_fails(house: House) -> None:
    done = run(house, *ARM, "--account", ACCOUNT, told=standing(GOOD, BAD))
    assert (done.code, changed(done)) == (3, [])
    assert "nothing was armed: kill level" in done.err


def test_the_gateway_has_the_last_word(house: House) -> None:
    done = run(house, *ARM, "--account", ACCOUNT, refuses="clock: it was set -> wait")
    assert done.code == 1
    assert "clock: it was set" in done.err


@pytest.mark.parametrize("span", ["31d", "0s", "7", "-7d", "forever", "721h"])
def test_a_time_that_is_none_or_too_long_is_a_usage_error(house: House, span: str) -> None:
    words = ["live", "arm", f"--for={span}", "--why", "x", "--account", ACCOUNT]
    with contextlib.chdir(house.root):
        assert CliRunner().invoke(rrr, words).exit_code == 2


def test_a_disarm_needs_a_reason_and_nothing_else(house: House) -> None:
    with contextlib.chdir(house.root):
        for words in (["live", "disarm"], ["live", "disarm", "--why", " "]):
            assert CliRunner().invoke(rrr, words).exit_code == 2
    assert changed(run(house, "live", "disarm", "--why", "enough")) == [
        ("gateway", "disarm", "enough")
    ]


def test_a_house_without_real_money_has_nothing_to_arm(house: House) -> None:
    (house.root / "settings.local.toml").unlink()
    done = run(house, *ARM, "--account", ACCOUNT)
    assert (done.code, changed(done)) == (1, [])
    assert "mode is local" in done.err
