"""Says the top of the book when it has changed."""

from schema.market import Quote
from services.ingest.effects import LiveQuote
from services.ingest.line import Pass
from services.ingest.numbers import read, trace_of


def hear_quote(turn: Pass, quote: LiveQuote) -> None:
    """Say a quote; the exchange gives it no time of its own, so it has the time it came."""
    feed = turn.feed
    prices, px_exp = read((quote.bid_px, quote.ask_px), feed.px_exp)
    quantities, qty_exp = read((quote.bid_qty, quote.ask_qty), feed.qty_exp)
    top = (prices[0], quantities[0], prices[1], quantities[1])
    if top == feed.top and (px_exp, qty_exp) == (feed.px_exp, feed.qty_exp):
        return
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
