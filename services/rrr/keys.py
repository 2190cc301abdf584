"""`rrr keys`: puts an exchange's keys where the gateway finds them; none is ever shown."""

import getpass
import hashlib
import sys
from pathlib import Path

import click
import msgspec

from bus.disk import put_whole
from bus.errors import HouseError, SettingsError, UnreachableError
from bus.house import House, open_house
from services.gateway.arming_wish import Standing
from services.gateway.keys import (
    FILE,
    SERVICE,
    Keys,
    file_flaw,
    file_of,
    keychain,
    of_keychain,
    packed,
    read_keys,
    slot_of,
    slots_of,
    unsound,
)
from services.rrr.asking import asked, body_of
from services.rrr.screen import table
from services.rrr.survey import NotReadyError
from services.rrr.verbs import InnerVerbs

KEY_CHARS_MAX = 4096
MARK_BYTES = 4
VERBS = {
    "set": ("keys", "services.rrr.keys:put"),
    "test": ("keys", "services.rrr.keys"),
    "list": ("keys", "services.rrr.keys:listing"),
}


NEXT = "A gateway that runs takes them at its next start: `rrr restart gateway`"


@click.command(cls=InnerVerbs, table=VERBS)
def keys() -> None:
    """Keep the keys of an exchange, which the gateway alone reads."""


@click.command()
@click.option("--account", metavar="TAG", help="Of another account than that of the settings.")
@click.option("--keychain", "chained", is_flag=True, help="In the keychain of this machine.")
def put(account: str | None, *, chained: bool) -> None:
    """Keep the keys of an account: asked for unseen, or two lines on standard input."""
    house = open_house()
    slot = _slot(house, account)
    found = _typed() if sys.stdin.isatty() else _piped()
    if flaw := unsound(found):
        raise click.UsageError(flaw)
    if chained:
        _into_keychain(slot, found)
        click.echo(f"kept in the keychain: {slot}")
    else:
        path = house.root / FILE
        _into_file(path, slot, found)
        click.echo(f"kept in {path}, which this user alone can read: {slot}")
    click.echo(NEXT)


@click.command()
def test() -> None:
    """Say whether the keys of this house can be read, and what the exchange says they may do."""
    house = open_house()
    read_keys(house.root, house.settings.exchange)
    click.echo(f"the keys of {slot_of(house.settings.exchange)} can be read")
    rows = _said_of_them(house)
    for name, state, text in rows:
        click.echo(f"{name}: {text}{' -- NO' if state == 'fails' else ''}")
    if any(state == "fails" for _, state, _ in rows):
        raise NotReadyError("these keys are not for live trading", "`rrr live check` says more")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def listing(*, as_json: bool) -> None:
    """Show for which accounts there are keys, and where; a mark tells them apart."""
    house = open_house()
    own = slot_of(house.settings.exchange)
    found = [(name, "file", _mark(one)) for name, one in slots_of(house.root / FILE).items()]
    if house.settings.exchange.account and (one := of_keychain(own)) is not None:
        found.append((own, "keychain", _mark(one)))
    if as_json:
        rows = [{"account": name, "place": place, "mark": mark} for name, place, mark in found]
        click.echo(msgspec.json.encode(rows).decode())
        return
    click.echo("\n".join(table([("ACCOUNT", "PLACE", "MARK"), *found])))


def _slot(house: House, account: str | None) -> str:
    exchange = house.settings.exchange
    if account is not None:
        exchange = msgspec.structs.replace(exchange, account=account.strip())
    if not exchange.account:
        raise click.UsageError("whose keys are they? set `exchange.account`, or add --account TAG")
    if not (exchange.account.isascii() and exchange.account.isprintable()):
        raise click.UsageError("an account is named by letters and digits")
    return slot_of(exchange)


def _typed() -> Keys:
    return Keys(getpass.getpass("Key (not shown): "), getpass.getpass("Secret (not shown): "))


def _piped() -> Keys:
    lines = sys.stdin.read(2 * KEY_CHARS_MAX).splitlines()
    if len(lines) != 2:
        raise click.UsageError(f"expected the key and the secret, a line each; found {len(lines)}")
    return Keys(lines[0].strip(), lines[1].strip())


def _into_file(path: Path, slot: str, found: Keys) -> None:
    slots = slots_of(path) | {slot: found}
    draft = path.with_name(f"{path.name}.tmp")
    try:
        draft.unlink(missing_ok=True)  # One that lies there may be open to others.
        put_whole(path, file_of(slots))
    except OSError as error:
        raise HouseError(
            f"{path} cannot be written: {error.strerror}", "Nothing was kept; mend the folder"
        ).of_disk(error) from None
    if flaw := file_flaw(path):
        what, _, hint = flaw.partition(". ")
        raise SettingsError(what, hint)


def _into_keychain(slot: str, found: Keys) -> None:
    chain = keychain()
    if chain is None:
        raise HouseError(
            "there is no keychain here that keeps a secret", "Leave --keychain out: a file does it"
        )
    chain.set_password(SERVICE, slot, packed(found))


def _said_of_them(house: House) -> list[tuple[str, str, str]]:
    try:
        done = asked(house.run, "gateway", "live")
    except UnreachableError:
        return [("exchange", "advice", "not asked: the gateway does not run")]
    standing = body_of(done, Standing, "gateway", "what the keys may do")
    told = [one for one in standing.conditions if one.name.startswith("key")]
    return [(one.name, one.state, one.text) for one in told]


def _mark(found: Keys) -> str:
    return hashlib.blake2b(found.key.encode(), digest_size=MARK_BYTES).hexdigest()
