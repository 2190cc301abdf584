"""`rrr buy`, `sell`, `close`, `flatten`, `cancel`: orders by hand, on every other one's way."""

from collections.abc import Callable
from typing import Any

import click
import msgspec

from bus.house import House
from services.rrr.asking import asked, body_of
from services.rrr.hand_end import told_end
from services.rrr.looking import look
from services.rrr.resume import confirm, reason_of, show_done
from services.rrr.screen import world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

BY_HAND = "by a person"
ANY = "*"
ENGINE = "engine"

Options = Callable[[Callable[..., None]], Callable[..., None]]


def _options(*, priced: bool) -> Options:
    """Return what the verbs have in common: the reason, the question and the form of the answer."""
    found = [
        click.option("--why", default=BY_HAND, metavar="TEXT", help="Kept for the audit."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object."),
    ]
    if priced:
        found = [*_prices(), *found]

    def wrap(verb: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(found):
            verb = option(verb)
        return verb

    return wrap


def _prices() -> list[Callable[..., Any]]:
    tifs = click.Choice(("GTC", "IOC", "FOK"))
    return [
        click.option("--quote", is_flag=True, help="AMOUNT is money, not units of the base asset."),
        click.option("--limit", default="", metavar="PX", help="Wait for this price."),
        click.option("--trigger", default="", metavar="PX", help="Wait until it came this far."),
        click.option("--stop", default="", metavar="PX", help="Give the position up here."),
        click.option("--take", default="", metavar="PX", help="Close it here with a gain."),
        click.option("--tif", default="GTC", show_default=True, type=tifs, help="With --limit."),
        click.option("--post-only", is_flag=True, help="With --limit: never take from the book."),
    ]


@click.command()
@click.argument("symbol")
@click.argument("amount")
@_options(priced=True)
def buy(symbol: str, amount: str, **given: Any) -> None:
    """Buy AMOUNT of SYMBOL by hand, through risk and the gateway like any other order.

    AMOUNT is in units of the base asset, or `all` to buy back what was sold short by hand. What is
    bought stands in the book `manual`; no strategy sells it.
    """
    _trade("buy", symbol, amount, given)


@click.command()
@click.argument("symbol")
@click.argument("amount")
@click.option("--short", is_flag=True, help="Sell what the account has beside its positions.")
@_options(priced=True)
def sell(symbol: str, amount: str, **given: Any) -> None:
    """Sell AMOUNT of SYMBOL out of what was bought by hand; `all` sells all of it.

    What strategies hold is closed by `rrr close`.
    """
    _trade("sell", symbol, amount, given)


@click.command()
@click.argument("symbol")
@_options(priced=False)
def close(symbol: str, **given: Any) -> None:
    """Close all that strategies and hands hold of SYMBOL, and cancel what they wait to enter.

    Strategies may enter it again: `rrr lock SYMBOL` keeps them out.
    """
    _close(symbol.upper(), given)


@click.command()
@click.argument("symbol", default=ANY)
@_options(priced=False)
def flatten(symbol: str, **given: Any) -> None:
    """Close every position of strategies and hands, or those in SYMBOL.

    It goes through engine, risk and gateway. `rrr kill --flatten` needs none of them but the
    gateway, closes the whole account, and stops all trading.
    """
    _close(symbol.upper(), given)


@click.command()
@click.argument("order")
@_options(priced=False)
def cancel(order: str, **given: Any) -> None:
    """Cancel an open entry; ORDER is its id, or at least six characters of its beginning.

    What protects or closes a position is not cancelled: its strategy would make it anew.
    """
    args = (order.strip().lower(), reason_of(given["why"]))
    _ask(running_house(standing_house()), "cancel", args, given, f"cancel {args[0]}")


def _trade(side: str, symbol: str, amount: str, given: dict[str, Any]) -> None:
    wish = {"symbol": symbol.upper(), "side": side, "amount": amount.lower()}
    wish |= {name: given[name] for name in ("limit", "trigger", "stop", "take", "tif")}
    wish |= {"post_only": given["post_only"], "unit": "quote" if given["quote"] else "base"}
    wish |= {"short": given.get("short", False)}
    args = (msgspec.json.encode(wish).decode(), reason_of(given["why"]))
    house = running_house(standing_house())
    ids = _ask(house, "order", args, given, f"{side} {amount} {symbol.upper()}", side)
    if ids and not given["as_json"]:
        click.echo(told_end(house, ids[0]))


def _close(symbol: str, given: dict[str, Any]) -> None:
    args = (symbol, reason_of(given["why"]))
    what = f"close {'every position' if symbol == ANY else symbol}"
    _ask(running_house(standing_house()), "close-symbol", args, given, what, "close")


def _ask(
    house: House,
    verb: str,
    args: tuple[str, ...],
    given: dict[str, Any],
    what: str,
    word: str = "cancel",
) -> list[str]:
    """Show what would follow, ask whether it is meant, and have it done; return what it names."""
    lines = look(house.run, ENGINE, verb, args)
    if not given["as_json"]:
        click.echo("\n".join([world_line(house.world), *lines]))
    if not given["yes"]:
        confirm(f"{what} in {house.world}", word)
    done = asked(house.run, ENGINE, verb, args)
    if not (done.ok and given["as_json"]):
        show_done(done, as_json=given["as_json"])
    names = body_of(done, list[str], ENGINE, "what it did")
    if given["as_json"]:
        told = {"ok": True, "text": done.text, "of": names}
        click.echo(msgspec.json.encode(told).decode())
    return names
