"""All that live trading asks for: what the gateway judges, and what one sees from outside."""

from collections.abc import Iterator

import msgspec

from bus.build import contract_hash
from bus.clock import Clock
from bus.errors import HouseError, ShardError, UnreachableError
from bus.health import Verdict
from bus.house import House
from schema.exchange import Requirement
from services.gateway.arming_check import UNLIMITED
from services.gateway.arming_conditions import fails, holds, judged
from services.gateway.arming_wish import Standing
from services.gateway.keys import FILE, file_flaw
from services.rrr.asking import asked, body_of
from services.rrr.limits import limits_told
from services.rrr.survey import Survey, survey

GATEWAY = "gateway"
LIMITS = ("max_order_notional", "max_position_notional", "max_gross_exposure", "daily_loss")
"""Those without which nothing bounds what can be lost."""

ARMED_BY_NOBODY = Standing(
    armed=False, until="", account="", by="", why="", hindrance="", conditions=[]
)


def look(house: House, clock: Clock) -> Standing:
    """Return how live trading stands, with every condition that can be judged now."""
    found = survey(house, clock)
    try:
        done = asked(house.run, GATEWAY, "live")
        standing = body_of(done, Standing, GATEWAY, "how live trading stands")
    except UnreachableError as error:
        away = fails(GATEWAY, error.what, "rrr up")
        standing = msgspec.structs.replace(
            ARMED_BY_NOBODY,
            account=house.settings.exchange.account,
            conditions=[*_of_settings(house), away],
        )
    conditions = [*standing.conditions, *_seen_from_outside(house, found)]
    return msgspec.structs.replace(standing, conditions=conditions)


def _of_settings(house: House) -> Iterator[Requirement]:
    settings = house.settings
    mode = "" if settings.mode == "live" else f"it is {settings.mode}"
    yield judged("mode", "live", mode, 'set mode = "live" in settings.local.toml')
    account = settings.exchange.account
    yield judged("account", account, "" if account else "it has no name", "set `exchange.account`")
    flaw, _, todo = file_flaw(house.root / FILE).partition(". ")
    yield judged("keys", "this user alone can read them", flaw, todo or "rrr keys set")


def _seen_from_outside(house: House, found: Survey) -> Iterator[Requirement]:
    yield _of_contracts(house, found)
    yield _of_sqlite()
    yield _of_limits(house)
    verdicts = {verdict.service: verdict for verdict in found.verdicts}
    yield _of_writer(verdicts.get("writer_trading"))
    yield _of_monitor(verdicts.get("monitor"))


def _of_contracts(house: House, found: Survey) -> Requirement:
    ours = contract_hash(house)
    other = [name for name, one in found.heartbeats.items() if one.contract != ours]
    failure = f"{' '.join(other)}: another schema, bus or mode than this tree's" if other else ""
    todo = f"rrr restart {' '.join(other)}"
    return judged("all contracts", "the same everywhere", failure, todo)


def _of_sqlite() -> Requirement:
    from bus.shard_open import check_version  # noqa: PLC0415 - few verbs open a shard

    try:
        check_version()
    except ShardError as error:
        return fails("sqlite here", error.what, "make up")
    return holds("sqlite here", "it keeps what was committed")


def limits_now(house: House) -> dict[str, str]:
    """Return the account's limits as risk holds them, and while it is away those of the settings.

    What a person has set while the house ran stands over the settings.
    """
    known = {
        name: str(value) for name, value in msgspec.structs.asdict(house.settings.risk).items()
    }
    try:
        told = limits_told(house.run)
    except HouseError:
        return known
    return known | {one.name: one.value for one in told if not one.scope}


def _of_limits(house: House) -> Requirement:
    limits = limits_now(house)
    loose = [name for name in LIMITS if not 0 < float(limits[name]) < UNLIMITED]
    failure = f"{' '.join(loose)}: without a limit" if loose else ""
    return judged("limits", "each is set: `rrr risk`", failure, "set each: `rrr risk set`")


def _of_writer(verdict: Verdict | None) -> Requirement:
    failure = _away("writer_trading", verdict)
    return judged("records", "they are written", failure, "rrr logs writer_trading")


def _of_monitor(verdict: Verdict | None) -> Requirement:
    if failure := _away("monitor", verdict):
        return Requirement("alerts", "advice", failure, "rrr logs monitor")
    todo = "look at `rrr status` now and then"
    return Requirement("alerts", "advice", "the monitor tells nobody outside this machine", todo)


def _away(name: str, verdict: Verdict | None) -> str:
    if verdict is None:
        return f"{name} is no program of this house"
    return "" if verdict.ready else f"{name} is {verdict.state}: {verdict.reason}"
