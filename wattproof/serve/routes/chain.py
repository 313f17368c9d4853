"""Transactions: unsigned ones are made, signed ones relayed. There are no keys here."""

from __future__ import annotations

import re
from typing import Any

from flask import request

from wattproof.serve import asked, raw, transactions, watching
from wattproof.serve.calls import CALLS
from wattproof.serve.fields import checksummed, whole
from wattproof.serve.problems import Problem, unfit
from wattproof.serve.served import served
from wattproof.serve.transactions import Wanted, asking

routes = asked.blueprint("chain", "Transactions")


@routes.before_request
def known() -> None:
    """Before a body is read: is there such a call?"""
    if (request.view_args or {}).get("call", next(iter(CALLS))) not in CALLS:
        raise Problem(404, "no such call: GET /api/v1/transactions lists them")


@routes.get("/transactions")
@routes.doc(summary="The calls for which transactions can be made", responses=asked.ERRORS)
@routes.output(watching.CallList)
def calls() -> dict[str, Any]:
    return {"calls": transactions.described()}


@routes.post("/transactions/<call>")
@routes.input(watching.Wanted, location="json", arg_name="body", unknown="raise")
@routes.doc(summary="An unsigned transaction, tried before it is handed out", responses=asked.POST_ERRORS)
@routes.output(watching.Unsigned)
def make(call: str, body: dict[str, Any]) -> dict[str, Any]:
    wanted = _wanted(call, body)
    with asking(served()) as market:
        return transactions.unsigned(market, wanted)


def _wanted(name: str, body: dict[str, Any]) -> Wanted:
    call = CALLS[name]
    try:
        sender = checksummed(body["sender"])
    except ValueError as problem:
        raise unfit({"sender": str(problem)}) from None
    try:
        value = whole(body["value"], 2**256 - 1)
    except ValueError as problem:
        raise unfit({"value": str(problem)}) from None
    if value and not call.payable:
        raise unfit({"value": f"{name} takes no ether: leave it out"})
    return Wanted(call, call.read(body["arguments"]), sender, value)


@routes.post("/relay")
@routes.input(watching.Signed, location="json", arg_name="body", unknown="raise")
@routes.doc(summary="Hands a signed transaction to the chain", responses=asked.POST_ERRORS)
@routes.output(watching.Relayed, status_code=202)
def relay(body: dict[str, Any]) -> dict[str, Any]:
    served().node_address()
    signed = raw.read(body["raw"])
    with asking(served()) as market:
        return {"hash": transactions.relay(market, signed)}


@routes.get("/transactions/<hash>")
@routes.doc(summary="What became of a transaction", responses=asked.ERRORS)
@routes.output(watching.State)
def state(hash: str) -> dict[str, Any]:
    if not re.fullmatch(r"0x[0-9a-fA-F]{64}", hash):
        raise Problem(404, "there is no such transaction: a hash is 0x and 64 hexadecimal digits")
    with asking(served()) as market:
        return transactions.state(market, hash.lower())
