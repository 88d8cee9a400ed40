"""What Python can do at most: ASGI and asyncpg by hand, no framework and hardly a check."""

import os
from asyncio import LifoQueue
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import asyncpg
from pydantic_core import from_json, to_json

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CREATE = """
    INSERT INTO task (user_id, id, title, description, completed)
    VALUES ($1, uuidv7(), $2, $3, $4) RETURNING *
"""
GET = "SELECT * FROM task WHERE user_id = $1 AND id = $2"
LIST = "SELECT * FROM task WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT 51"

PAGE = 50
END = UUID(int=2**128 - 1)

pool: LifoQueue[asyncpg.Connection] = LifoQueue()


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    status, body = await answer(scope, receive)
    content = to_json(body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def live(receive: Receive, send: Send) -> None:
    await receive()
    for _ in range(10):
        pool.put_nowait(await asyncpg.connect(os.environ["ASYNC_URL"]))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def answer(scope: Message, receive: Receive) -> tuple[int, Any]:
    user = dict(scope["headers"])[b"x-user-id"].decode()
    if scope["method"] == "POST":
        task = from_json((await receive())["body"])
        values = task["title"], task.get("description", ""), task.get("completed", False)
        return 201, dict((await rows(CREATE, user, *values))[0])
    if scope["path"] == "/api/v1/tasks":
        cursor = dict(parse_qsl(scope["query_string"].decode())).get("cursor")
        tasks = [dict(row) for row in await rows(LIST, user, UUID(cursor) if cursor else END)]
        more = tasks[PAGE - 1]["id"] if len(tasks) > PAGE else None
        return 200, {"items": tasks[:PAGE], "next_cursor": more}
    return 200, dict((await rows(GET, user, UUID(scope["path"][-36:])))[0])


async def rows(statement: str, *values: object) -> list[asyncpg.Record]:
    connection = await pool.get()
    try:
        return await connection.fetch(statement, *values)
    finally:
        pool.put_nowait(connection)
