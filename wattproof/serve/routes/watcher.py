"""What the watcher checked: blocks, calls, events, alarms, invariants; and the stream of what is new."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from wattproof.serve import asked, watching
from wattproof.serve.pages import Row, narrowed, one, page
from wattproof.serve.parts import MAX_PLACE, number
from wattproof.serve.problems import missing
from wattproof.serve.questions import watching as questions
from wattproof.serve.served import served
from wattproof.serve.standing import Standing
from wattproof.serve.stream import answer
from wattproof.store.tables import AlarmRow, BlockRow, CallRow, EventRow

routes = asked.blueprint("watcher", "The watcher")


@routes.get("/invariants")
@routes.doc(summary="How often each promise was checked", responses=asked.ERRORS)
@routes.output(watching.Invariants)
def invariants() -> dict[str, Any]:
    it = served()
    with it.connect() as connection:
        return questions.invariants(connection, it.market.id) | Standing(connection, it).behind()


@routes.get("/alarms")
@routes.input(asked.Alarms, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All alarms, newest first", responses=asked.ERRORS)
@routes.output(asked.listed(watching.Alarm))
def alarms(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(questions.alarms(it.market.id), query, at_block=AlarmRow.block, invariant=AlarmRow.invariant)
    with it.connect() as connection:
        return page(connection, statement, query, [AlarmRow.block, AlarmRow.index])


@routes.get("/alarms/<block>/<index>")
@routes.doc(summary="One alarm", responses=asked.ERRORS)
@routes.output(watching.Alarm)
def alarm(block: str, index: str) -> Row:
    it, at, place = served(), number("block", block), number("alarm", index, MAX_PLACE)
    with it.connect() as connection:
        statement = questions.alarms(it.market.id).where(AlarmRow.block == at, AlarmRow.index == place)
        found = one(connection, statement)
    if found is None:
        raise missing(f"alarm {place} of block {at}")
    return found


@routes.get("/blocks")
@routes.input(asked.Blocks, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All blocks that were checked, newest first", responses=asked.ERRORS)
@routes.output(asked.listed(watching.Block))
def blocks(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(questions.blocks(it.market.id), query, at_block=BlockRow.number)
    with it.connect() as connection:
        return page(connection, statement, query, [BlockRow.number])


@routes.get("/blocks/<block>")
@routes.doc(summary="One block", responses=asked.ERRORS)
@routes.output(watching.Block)
def one_block(block: str) -> Row:
    it, wanted = served(), number("block", block)
    with it.connect() as connection:
        found = one(connection, questions.blocks(it.market.id).where(BlockRow.number == wanted))
    if found is None:
        raise missing(f"block {wanted}")
    return found


@routes.get("/calls")
@routes.input(asked.Calls, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All calls of the market, newest first", responses=asked.ERRORS)
@routes.output(asked.listed(watching.Call))
def calls(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(
        questions.calls(it.market.id),
        query,
        at_block=CallRow.block,
        transaction=CallRow.transaction,
        sender=CallRow.sender,
        function=CallRow.function,
        accepted=CallRow.accepted,
    )
    with it.connect() as connection:
        return page(connection, statement, query, [CallRow.block, CallRow.index])


@routes.get("/events")
@routes.input(asked.Events, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All events of the market, newest first", responses=asked.ERRORS)
@routes.output(asked.listed(watching.Event))
def events(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(
        questions.events(it.market.id),
        query,
        at_block=EventRow.block,
        transaction=EventRow.transaction,
        name=EventRow.name,
        quote_id=EventRow.quote_id,
        user=EventRow.user,
        period=EventRow.period,
    )
    with it.connect() as connection:
        return page(connection, statement, query, [EventRow.block, EventRow.index])


@routes.get("/stream")
@routes.input(asked.After, location="query", arg_name="query", unknown="raise")
@routes.doc(
    summary="Server-sent events: blocks, events, alarms and rollbacks as the watcher stores them",
    responses={200: {"description": "text/event-stream"}, **asked.ERRORS},
)
def stream(query: dict[str, Any]) -> Response:
    return answer(served(), query.get("after") or request.headers.get("Last-Event-ID"))
