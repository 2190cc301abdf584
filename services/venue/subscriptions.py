"""What a WebSocket client may ask for, and Binance's answers to what it may not."""

import msgspec

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
STREAMS_MAX = 1024

Wanted = dict[str, None]  # a set that keeps its order


class Request(msgspec.Struct):
    """A request as it arrives; every field is checked by hand to answer as Binance does."""

    method: object = None
    params: object = None
    id: object = None


def obey(text: str, wanted: Wanted) -> bytes:
    """Change what a client wants by one request, and return the answer to it."""
    try:
        request = msgspec.json.decode(text, type=Request)
    except msgspec.ValidationError:
        return _error(None, 3, "Invalid JSON: expected an object")
    except msgspec.DecodeError as error:
        return _error(None, 3, f"Invalid JSON: {error}")
    if refusal := _refusal(request):
        return _error(request.id, 2, f"Invalid request: {refusal}")
    return _obeyed(request, wanted)


def _refusal(request: Request) -> str | None:
    if request.method is None:
        return "missing field `method`"
    if request.method not in METHODS:
        known = ", ".join(f"`{method}`" for method in METHODS)
        return f"unknown variant `{request.method}`, expected one of {known}"
    if not isinstance(request.id, int | str | None) or isinstance(request.id, bool):
        return "request ID must be an unsigned integer or a string"
    if request.method.endswith("PROPERTY"):
        return "property is not available here"
    if request.method != "LIST_SUBSCRIPTIONS" and not _are_names(request.params):
        return "`params` must be a list of stream names"
    return None


def _are_names(params: object) -> bool:
    return isinstance(params, list) and all(isinstance(name, str) for name in params)


def _obeyed(request: Request, wanted: Wanted) -> bytes:
    if request.method == "LIST_SUBSCRIPTIONS":
        return _result(request.id, list(wanted))
    assert isinstance(request.params, list)
    if request.method == "UNSUBSCRIBE":
        for name in request.params:
            wanted.pop(name, None)
    elif len({*wanted, *request.params}) > STREAMS_MAX:
        return _error(request.id, 2, f"Invalid request: more than {STREAMS_MAX} streams")
    else:
        wanted.update(dict.fromkeys(request.params))
    return _result(request.id, None)


def _result(request_id: object, result: object) -> bytes:
    return msgspec.json.encode({"result": result, "id": request_id})


def _error(request_id: object, code: int, msg: str) -> bytes:
    return msgspec.json.encode({"error": {"code": code, "msg": msg}, "id": request_id})
