"""Protections in the settings: tables of a person's own beside the shipped, and what is wrong."""

from pathlib import Path

import pytest

from schema.settings_protection import ProtectionSettings
from tests.bus.houses import checkout, opened, refusal

MINE = '[protection.mine]\nkind = "cooldown"\nstop_duration_ms = 60000\n'


def test_a_protection_of_a_local_file_stands_beside_the_shipped_ones(tmp_path: Path) -> None:
    found = opened(checkout(tmp_path, MINE)).settings.protection
    assert found["mine"] == ProtectionSettings(kind="cooldown", stop_duration_ms=60_000)
    assert {one.kind for one in found.values()} == {
        "stoploss_guard", "max_drawdown", "cooldown", "low_profit_pairs",
    }  # fmt: skip
    assert all(one.on for one in found.values())


def test_the_environment_changes_one_key_of_a_protection(tmp_path: Path) -> None:
    found = opened(
        checkout(tmp_path),
        RRR_PROTECTION__MAX_DRAWDOWN__ON="false",
        RRR_PROTECTION__STOPLOSS_GUARD__UNLOCK_AT="00:30",
        RRR_PROTECTION__STOPLOSS_GUARD__ONLY_PER_PAIR="false",
    ).settings.protection
    guard = found["stoploss_guard"]
    assert not found["max_drawdown"].on
    assert (guard.unlock_at, guard.only_per_pair, guard.trade_limit) == ("00:30", False, 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[protection.mine]\ntrade_limit = 2\n", "`protection.mine.kind` is missing"),
        ('[protection.mine]\nkind = "guard"\n', "expected one of stoploss_guard, max_drawdown"),
        ("[protection.cooldown]\nstop_duration = 1\n", "protection.cooldown.stop_duration_ms"),
        ('[protection.cooldown]\nunlock_at = "24:00"\n', "protection.cooldown.unlock_at"),
        ("[protection.cooldown]\nlookback_ms = -1\n", "protection.cooldown.lookback_ms"),
        ('[protection.Mine]\nkind = "cooldown"\n', "is no name"),
        ("[protection.stoploss_gard]\ntrade_limit = 2\n", "`protection.stoploss_guard`"),
    ],
)
def test_a_protection_that_means_nothing_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(checkout(tmp_path, text))
