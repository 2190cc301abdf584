"""Says the top of the book when it has changed, and not more often than anybody needs.

An exchange may change its top a hundred times a second, and whoever decides by it records each
change that he heard. The newest one is never lost: what comes too soon waits for its time.
"""

from schema.market import Quote
from services.ingest.line import Pass
from services.ingest.numbers import read, trace_of


def quote_due_ns(turn: Pass) -> int:
    """Return when the top of the book that waits may be said; 0 when none waits."""
    line = turn.line
    return line.quoted_ns + turn.pace.quote_ns if line.quote is not None else 0


def say_quote(turn: Pass) -> None:
    """Say the top of the book that waits, once it may; it has the time at which it is said.

    The exchange gives it no time of its own.
    """
    quote = turn.line.quote
    if quote is None or turn.now_ns < quote_due_ns(turn):
        return
    turn.line.quote = None
    feed = turn.feed
    prices, px_exp = read((quote.bid_px, quote.ask_px), feed.px_exp)
    quantities, qty_exp = read((quote.bid_qty, quote.ask_qty), feed.qty_exp)
    top = (prices[0], quantities[0], prices[1], quantities[1])
    if top == feed.top and (px_exp, qty_exp) == (feed.px_exp, feed.qty_exp):
        return
    turn.line.quoted_ns = turn.now_ns
    turn.say(
        Quote(
            ts_event=turn.now_ns,
            trace=trace_of(feed.symbol, "quote", quote.update_id),
            symbol=feed.symbol,
            bid_px=top[0],
            bid_qty=top[1],
            ask_px=top[2],
            ask_qty=top[3],
            px_exp=px_exp,
            qty_exp=qty_exp,
            update_id=quote.update_id,
            ts_recv=quote.recv_ns,
        )
    )
