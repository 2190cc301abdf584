"""What a person says of orders and of money that the house knows nothing of: looked at, then done.

Each wish has a twin that ends in "-look", which tells what would follow and changes nothing.
"""

import msgspec

from schema.house import Command, CommandDone
from schema.units import iso_ms
from services.gateway import adopt, resolve
from services.gateway.fence import balances
from services.gateway.resolve import RefusedError
from services.gateway.turn import Turn

VERBS = ("resolve", "resolve-look", "adopt", "adopt-look", "external", "balances")
USAGE = 'expected order SYMBOL VENUE_ORDER_ID "why" or balance ASSET DELTA BOOK "why"'


def obey(turn: Turn, asked: Command) -> CommandDone:
    """Return the answer to a wish, with what it says said."""
    try:
        text, body = _obey(turn, asked)
    except RefusedError as error:
        return CommandDone(request_id=asked.request_id, ok=False, text=str(error))
    return CommandDone(request_id=asked.request_id, ok=True, text=text, body=body)


def _obey(turn: Turn, asked: Command) -> tuple[str, bytes]:
    match asked.verb, asked.args:
        case "resolve", (wish,):
            return resolve.resolve(turn, wish, asked.by), b""
        case "resolve-look", (wish,):
            return "", msgspec.json.encode(resolve.preview(turn, wish))
        case "adopt", args if _why(args):
            return _adopt(turn, args, asked.by), b""
        case "adopt-look", args:
            return "", msgspec.json.encode(adopt.preview(turn, args))
        case "external", _:
            return "", msgspec.json.encode(external(turn))
        case "balances", _:
            return "", msgspec.json.encode(balances(turn))
    raise RefusedError(USAGE if asked.verb.startswith("adopt") else "expected one wish, as JSON")


def _adopt(turn: Turn, args: tuple[str, ...], by: str) -> str:
    match args:
        case "order", symbol, venue_id, why:
            return adopt.adopt_order(turn, symbol, venue_id, by, why)
        case "balance", asset, delta, book, why:
            return adopt.adopt_balance(turn, asset, delta, book, by, why)
    raise RefusedError(USAGE)


def _why(args: tuple[str, ...]) -> str:
    return args[-1].strip() if args else ""


def external(turn: Turn) -> list[dict[str, str]]:
    """Return the orders that were not made here: open ones, and those that a person knows of."""
    books, windows = turn.books, turn.windows
    return [
        {
            "symbol": name.partition(" ")[0],
            "venue_order_id": name.partition(" ")[2],
            "side": windows.externals[name].side if name in windows.externals else "",
            "qty": windows.externals[name].qty if name in windows.externals else "",
            "filled": windows.externals[name].executed_qty if name in windows.externals else "",
            "open": "yes" if name in windows.externals else "no",
            "adopted": iso_ms(books.adopted[name].since_ns) if name in books.adopted else "",
            "by": books.adopted[name].by if name in books.adopted else "",
            "why": books.adopted[name].why if name in books.adopted else "",
        }
        for name in dict.fromkeys([*windows.externals, *books.strangers, *books.adopted])
    ]
