"""The same API on FastAPI and psycopg2 by hand: one statement each, and a pool of ten."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Header, HTTPException
from psycopg2.extras import RealDictCursor, register_uuid
from psycopg2.pool import ThreadedConnectionPool
from pydantic import BaseModel, Field

CREATE = """
    INSERT INTO task (user_id, id, title, description, completed)
    VALUES (%s, uuidv7(), %s, %s, %s) RETURNING *
"""
GET = "SELECT * FROM task WHERE user_id = %s AND id = %s"
LIST = "SELECT * FROM task WHERE user_id = %s AND id < %s ORDER BY id DESC LIMIT %s"

POOL = 10
END = UUID(int=2**128 - 1)


class TaskBase(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=10_000)
    completed: bool = False


class Task(TaskBase):
    id: UUID
    user_id: str
    created_at: datetime
    updated_at: datetime


class Page(BaseModel):
    items: list[Task]
    next_cursor: UUID | None


register_uuid()
pool = ThreadedConnectionPool(POOL, POOL, os.environ["ASYNC_URL"], cursor_factory=RealDictCursor)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = POOL  # no thread without a connection
    yield


app = FastAPI(lifespan=lifespan)
UserDep = Annotated[str, Header(alias="X-User-ID")]


def rows(statement: str, *values: object) -> list[dict[str, Any]]:
    connection = pool.getconn()
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()
    finally:
        pool.putconn(connection)


@app.post("/api/v1/tasks", status_code=201)
def create_task(user_id: UserDep, task: TaskBase) -> Task:
    return Task(**rows(CREATE, user_id, task.title, task.description, task.completed)[0])


@app.get("/api/v1/tasks")
def list_tasks(user_id: UserDep, limit: int = 50, cursor: UUID = END) -> Page:
    items = [Task(**row) for row in rows(LIST, user_id, cursor, limit + 1)]
    return Page(items=items[:limit], next_cursor=items[limit - 1].id if items[limit:] else None)


@app.get("/api/v1/tasks/{task_id}")
def get_task(user_id: UserDep, task_id: UUID) -> Task:
    for row in rows(GET, user_id, task_id):
        return Task(**row)
    raise HTTPException(404, "Task not found")
