"""The requests of the gateway, one for each effect, and what their answers say.

Whatever leaves open what became of a request raises EdgeError: a timeout, a server's failure, an
answer that cannot be read. Only what proves that nothing was done is a refusal.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from bus.errors import EdgeError
from schema.exchange import (
    AccountSeen,
    AskAccount,
    AskOpenOrders,
    AskOrder,
    AskTop,
    AskTrades,
    CancelDone,
    CancelRefused,
    OpenOrdersSeen,
    OrderAbsent,
    OrderFound,
    OrderNotSent,
    OrderPlaced,
    OrderRefused,
    SendCancel,
    SendOrder,
    TopSeen,
    TradesSeen,
)
from schema.head import Effect, Local
from schema.joined import PairNotSent, PairPlaced, PairRefused, SendPair, SendReplace
from services.gateway import wire
from services.gateway import wire_replaced as replacing
from services.gateway.edge_budget import Budget
from services.gateway.edge_session import OK, Reply, Session
from services.gateway.wire_codes import (
    STALE,
    Refusal,
    is_ban,
    is_unknown,
    proves_not_taken,
    refusal_in,
)
from services.gateway.wire_rows import (
    AccountRow,
    OrderRow,
    PairRow,
    RightsRow,
    TimeRow,
    TopRow,
    TradeRow,
)

PAGE = 1_000
AGAIN = "What became of it is asked again"

T = TypeVar("T")
Query = AskOrder | AskTrades | AskOpenOrders | AskAccount | AskTop


class Desk:
    """Speaks with the exchange through one session."""

    def __init__(
        self, session: Session, names: dict[str, str], budget: Budget, doubt: Callable[[], None]
    ) -> None:
        self.session = session
        self._names = names
        self._budget = budget
        self._doubt = doubt

    async def perform(self, effect: Effect) -> Local:
        """Make the request of an effect; EdgeError when its answer settles nothing."""
        try:
            match effect:
                case SendOrder():
                    return await self._send(effect)
                case SendPair():
                    return await self._send_pair(effect)
                case SendReplace():
                    return await self._send_replace(effect)
                case SendCancel():
                    return await self._cancel(effect)
                case AskOrder() | AskTrades() | AskOpenOrders() | AskAccount() | AskTop():
                    return await self._query(effect)
                case _:
                    raise AssertionError(f"the gateway performs no {type(effect).__name__}")
        except ValueError as error:
            raise EdgeError(f"the exchange's numbers do not fit: {error}", AGAIN) from error

    async def time_ms(self) -> int:
        """Ask for the exchange's time."""
        if ban := self._budget.ban():
            raise EdgeError(ban, "It is asked again by itself")
        return _read(await self._ask("GET", "time", {}, "public"), TimeRow).server_time

    async def _query(self, effect: Query) -> Local:
        match effect:
            case AskOrder():
                self._learn(effect.symbol)
                return await self._order(effect)
            case AskTrades():
                self._learn(effect.symbol)
                return await self._trades(effect)
            case AskOpenOrders():
                return await self._open_orders(effect)
            case AskAccount():
                return await self._account(effect)
            case AskTop():
                return await self._top(effect)

    def _learn(self, symbol: str) -> None:
        # One that the settings name no longer is asked for as long as something of it is left.
        self._names.setdefault(wire.venue_name(symbol), symbol)

    async def _send(self, effect: SendOrder) -> Local:
        intent = effect.intent
        names = (effect.effect_id, intent.client_order_id, intent.symbol)
        params = {**wire.order_params(intent), "timestamp": effect.signed_ms}
        reply = await self._ask("POST", "order", params)
        if not reply.sent:
            return OrderNotSent(**_named(*names), reason=f"nothing is connected: {reply}")
        if refusal := self._refused(reply):
            return OrderRefused(**_named(*names), code=refusal.code, text=refusal.msg)
        row = _read(reply, OrderRow)
        report = wire.report_of(row, self._names)
        _require_asked(report.client_order_id, intent.client_order_id)
        trades = wire.placed_trades(row, self._names)
        return OrderPlaced(effect_id=effect.effect_id, report=report, trades=trades)

    async def _send_pair(self, effect: SendPair) -> Local:
        names = named_halves(effect)
        params = {**wire.pair_params(effect.stop, effect.target), "timestamp": effect.signed_ms}
        reply = await self._ask("POST", "orderList/oco", params)
        if not reply.sent:
            return PairNotSent(**names, reason=f"nothing is connected: {reply}")
        if refusal := self._refused(reply):
            return PairRefused(**names, code=refusal.code, text=refusal.msg)
        rows = _read(reply, PairRow).order_reports
        reports = tuple(wire.report_of(row, self._names) for row in rows)
        found = sorted(report.client_order_id for report in reports)
        _require_asked(" and ".join(found), " and ".join(sorted(names["client_order_ids"])))
        trades = tuple(trade for row in rows for trade in wire.placed_trades(row, self._names))
        return PairPlaced(effect_id=effect.effect_id, reports=reports, trades=trades)

    async def _send_replace(self, effect: SendReplace) -> Local:
        params = wire.replace_params(effect.replaced, effect.intent)
        signed = {**params, "timestamp": effect.signed_ms}
        reply = await self._ask("POST", "order/cancelReplace", signed)
        if not reply.sent:
            names = (effect.effect_id, effect.intent.client_order_id, effect.intent.symbol)
            return OrderNotSent(**_named(*names), reason=f"nothing is connected: {reply}")
        if (parts := replacing.parts_in(reply)) is not None:
            return replacing.answer(effect, parts, self._names)
        if refusal := self._refused(reply):
            return replacing.refused(effect, refusal)
        raise EdgeError(f"the exchange did not answer: {reply}", AGAIN)

    async def _cancel(self, effect: SendCancel) -> Local:
        reply = await self._ask("DELETE", "order", _order_named(effect))
        if (refusal := self._refused(reply)) and not _passes_by_itself(reply, refusal):
            names = _named(effect.effect_id, effect.client_order_id, effect.symbol)
            return CancelRefused(**names, code=refusal.code, text=refusal.msg)
        report = wire.report_of(_read(reply, OrderRow), self._names)
        _require_asked(report.client_order_id, effect.client_order_id)
        return CancelDone(effect_id=effect.effect_id, report=report)

    async def _order(self, effect: AskOrder) -> Local:
        asked_ms = self.session.nonce()
        reply = await self._ask("GET", "order", _order_named(effect))
        if is_unknown(reply.status, refusal_in(reply.status, reply.body)):
            names = _named(effect.effect_id, effect.client_order_id, effect.symbol)
            return OrderAbsent(**names, wall_ms=asked_ms)
        report = wire.report_of(_read(reply, OrderRow), self._names)
        _require_asked(report.client_order_id, effect.client_order_id)
        return OrderFound(effect_id=effect.effect_id, report=report)

    async def _trades(self, effect: AskTrades) -> Local:
        asked_ms = self.session.nonce()
        symbol = wire.venue_name(effect.symbol)
        params = {"symbol": symbol, "fromId": effect.from_id, "limit": PAGE}
        rows = _read(await self._ask("GET", "myTrades", params), tuple[TradeRow, ...])
        return TradesSeen(
            effect_id=effect.effect_id,
            symbol=effect.symbol,
            trades=tuple(wire.trade_of(row, self._names) for row in rows),
            whole=len(rows) < PAGE,
            wall_ms=asked_ms,
        )

    async def _open_orders(self, effect: AskOpenOrders) -> Local:
        asked_ms = self.session.nonce()
        rows = _read(await self._ask("GET", "openOrders", {}), tuple[OrderRow, ...])
        reports = tuple(wire.report_of(row, self._names) for row in rows)
        return OpenOrdersSeen(effect_id=effect.effect_id, reports=reports, wall_ms=asked_ms)

    async def _account(self, effect: AskAccount) -> Local:
        asked_ms = self.session.nonce()
        account = _read(await self._ask("GET", "account", {}), AccountRow)
        # `canWithdraw` is the account's; what the key may do, the exchange's wallet says.
        reply = await self._ask("GET", "account/apiRestrictions", {}, "sapi")
        rights = _read(reply, RightsRow)
        return AccountSeen(
            effect_id=effect.effect_id,
            balances=wire.balances_of(account),
            can_trade=account.can_trade and rights.enable_spot_and_margin_trading,
            can_withdraw=rights.enable_withdrawals,
            ip_bound=rights.ip_restrict,
            wall_ms=asked_ms,
        )

    async def _top(self, effect: AskTop) -> Local:
        params = {"symbol": wire.venue_name(effect.symbol)}
        row = _read(await self._ask("GET", "ticker/bookTicker", params, "public"), TopRow)
        return TopSeen(
            effect_id=effect.effect_id, symbol=effect.symbol, bid=row.bid_price, ask=row.ask_price
        )

    async def _ask(
        self, method: str, path: str, params: Mapping[str, object], api: str = "private"
    ) -> Reply:
        request, begun_ms, reply = f"{method} {path}", self.session.nonce(), Reply()
        try:
            reply = await self.session.ask(method, path, params, api)
        finally:
            self._budget.take(request, reply, begun_ms)  # Unanswered too, it was weighed.
        return reply

    def _refused(self, reply: Reply) -> Refusal | None:
        refusal = refusal_in(reply.status, reply.body)
        if refusal is None or not proves_not_taken(reply.status, refusal):
            return None
        if refusal.code == STALE:
            self._doubt()
        return refusal


def named_halves(effect: SendPair) -> dict[str, Any]:
    """Return what every answer about a pair names it by."""
    stop, target = effect.stop, effect.target
    ids = (stop.client_order_id, target.client_order_id)
    return {"effect_id": effect.effect_id, "client_order_ids": ids, "symbol": stop.symbol}


def _read(reply: Reply, kind: type[T]) -> T:
    if reply.status != OK:
        raise EdgeError(f"the exchange did not answer: {reply}", AGAIN)
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except msgspec.MsgspecError as error:
        raise EdgeError(f"the exchange's answer cannot be read: {error}: {reply}", AGAIN) from error


def _require_asked(found: str, asked: str) -> None:
    if found != asked:
        raise EdgeError(f"the exchange answered about order {found}, asked was {asked}", AGAIN)


def _named(effect_id: str, client_order_id: str, symbol: str) -> dict[str, str]:
    return {"effect_id": effect_id, "client_order_id": client_order_id, "symbol": symbol}


def _order_named(effect: SendCancel | AskOrder) -> dict[str, object]:
    symbol = wire.venue_name(effect.symbol)
    return {"symbol": symbol, "origClientOrderId": effect.client_order_id}


def _passes_by_itself(reply: Reply, refusal: Refusal) -> bool:
    """Return whether a cancel was refused for a reason that says nothing about its order."""
    return is_ban(reply.status, refusal) or refusal.code == STALE
