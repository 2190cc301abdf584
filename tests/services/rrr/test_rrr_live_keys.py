"""`rrr keys` as processes: keys are kept for this user alone, and shown to nobody."""

import contextlib
import json
import stat
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from bus.errors import HouseError
from bus.house import House, open_house
from services.gateway.keys import FILE, Keys, read_keys
from services.rrr import rrr
from tests.services.bare import bare_house
from tests.services.rrr.answering import Services

CANARY = "canary4f2a9d0b"
PAIR = f"my-key\n{CANARY}\n"


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        (made.root / "settings.local.toml").write_text(
            'mode = "live"\n[exchange]\naccount = "main7"\n'
        )
        yield open_house(made.root, {})


class Told(NamedTuple):
    """What a command line wrote, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def keys(house: House, *words: str, piped: str = "") -> Told:
    """Run `rrr keys` in this process, as one would in the house."""
    with contextlib.chdir(house.root):
        done = CliRunner().invoke(rrr, ["keys", *words], input=piped)
    code, failure = done.exit_code, done.exception
    if isinstance(failure, HouseError):
        code = failure.exit_code
    told = Told(code, done.stdout, f"{done.stderr}{failure}")
    assert CANARY not in told.stdout + told.stderr
    assert "my-key" not in told.stdout + told.stderr
    return told


def test_keys_are_kept_for_this_user_and_found_by_the_gateway(house: House) -> None:
    (house.root / f"{FILE}.tmp").write_text("left open to everybody")
    done = keys(house, "set", piped=PAIR)
    assert done.returncode == 0, done.stderr
    assert "rrr restart gateway" in done.stdout
    path = house.root / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keys(house.root, house.settings.exchange) == Keys("my-key", CANARY)
    assert not path.with_name(f"{FILE}.tmp").exists()


def test_keys_of_other_accounts_stay_beside_new_ones(house: House) -> None:
    keys(house, "set", piped=PAIR)
    keys(house, "set", "--account", "Other", piped=f"other\n{CANARY}x\n")
    found = json.loads(keys(house, "list", "--json").stdout)
    assert [one["account"] for one in found] == ["binance-main7", "binance-other"]
    assert len({one["mark"] for one in found}) == 2
    assert keys(house, "list").stdout.splitlines()[0].split() == ["ACCOUNT", "PLACE", "MARK"]


@pytest.mark.parametrize(
    "piped", ["", "one\n", f"a\n{CANARY}\nc\n", f"\n{CANARY}\n", f"a b\n{CANARY}\n"]
)
def test_what_is_no_pair_of_keys_is_kept_nowhere(house: House, piped: str) -> None:
    assert keys(house, "set", piped=piped).returncode == 2
    assert not (house.root / FILE).exists()


def test_a_file_that_others_can_read_is_named_with_the_way_out(house: House) -> None:
    keys(house, "set", piped=PAIR)
    (house.root / FILE).chmod(0o644)
    for verb in ("test", "list"):
        done = keys(house, verb)
        assert done.returncode == 1
        assert "chmod 600" in done.stderr
    assert keys(house, "set", piped=PAIR).returncode == 1


def test_whose_keys_they_are_has_to_be_known(house: House) -> None:
    (house.root / "settings.local.toml").unlink()
    assert keys(house, "set", piped=PAIR).returncode == 2
    assert keys(house, "set", "--account", "a", "--keychain", piped=PAIR).returncode == 1


def test_a_test_says_what_the_exchange_lets_them_do(house: House) -> None:
    keys(house, "set", piped=PAIR)
    assert "not asked: the gateway does not run" in keys(house, "test").stdout
    told = {
        "armed": False, "until": "", "account": "main7", "by": "", "why": "", "hindrance": "",
        "conditions": [["key withdraws", "fails", "it may withdraw", "make another"]],
    }  # fmt: skip
    services = Services(house, ("gateway",), {("gateway", "live"): (True, "", told)})
    try:
        done = services.rrr("keys", "test")
    finally:
        services.close()
    assert done.code == 3
    assert "key withdraws: it may withdraw -- NO" in done.out


def test_a_folder_that_takes_no_file_and_an_odd_account_are_told_in_a_line(house: House) -> None:
    draft = house.root / f"{FILE}.tmp"
    draft.mkdir()
    done = keys(house, "set", piped=PAIR)
    assert (done.returncode, "cannot be written" in done.stderr) == (1, True), done.stderr
    draft.rmdir()
    done = keys(house, "set", "--account", "a\x7fbcd", piped=PAIR)
    assert (done.returncode, "letters and digits" in done.stderr) == (2, True), done.stderr
    assert not (house.root / FILE).exists()
