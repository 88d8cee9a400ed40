"""The same API as FastAPI's and SQLModel's tutorials build it."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, Header, HTTPException
from sqlmodel import Field, Session, SQLModel, col, create_engine, select


class TaskBase(SQLModel):
    title: str = Field(max_length=200)
    description: str = Field(default="", max_length=10_000)
    completed: bool = False


def now() -> datetime:
    return datetime.now(UTC)


class Task(TaskBase, table=True):
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    user_id: str = Field(index=True)
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


class TaskUpdate(SQLModel):
    title: str | None = None
    description: str | None = None
    completed: bool | None = None


class TaskPublic(TaskBase):
    id: UUID
    user_id: str
    created_at: datetime
    updated_at: datetime


# The default pool is one of 5 connections that overflows to 15.
pool: dict[str, Any] = {"pool_size": 10, "max_overflow": 0} if "POOL_OF_10" in os.environ else {}
engine = create_engine(os.environ["SYNC_URL"], pool_pre_ping=True, **pool)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    SQLModel.metadata.create_all(engine)
    yield


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]
UserDep = Annotated[str, Header(alias="X-User-ID")]

app = FastAPI(lifespan=lifespan)


def owned(session: Session, user_id: str, task_id: UUID) -> Task:
    task = session.get(Task, task_id)
    if task is None or task.user_id != user_id:
        raise HTTPException(404, "Task not found")
    return task


def store(session: Session, task: Task) -> Task:
    task.updated_at = now()
    session.add(task)
    session.commit()
    session.refresh(task)
    return task


@app.post("/api/v1/tasks", response_model=TaskPublic, status_code=201)
def create_task(session: SessionDep, user_id: UserDep, task: TaskBase) -> Task:
    return store(session, Task.model_validate(task, update={"user_id": user_id}))


@app.get("/api/v1/tasks", response_model=list[TaskPublic])
def list_tasks(
    session: SessionDep, user_id: UserDep, skip: int = 0, limit: int = 50
) -> Sequence[Task]:
    statement = select(Task).where(Task.user_id == user_id).order_by(col(Task.created_at).desc())
    return session.exec(statement.offset(skip).limit(limit)).all()


@app.get("/api/v1/tasks/{task_id}", response_model=TaskPublic)
def get_task(session: SessionDep, user_id: UserDep, task_id: UUID) -> Task:
    return owned(session, user_id, task_id)


@app.put("/api/v1/tasks/{task_id}", response_model=TaskPublic)
def replace_task(session: SessionDep, user_id: UserDep, task_id: UUID, new: TaskBase) -> Task:
    task = owned(session, user_id, task_id)
    task.sqlmodel_update(new.model_dump())
    return store(session, task)


@app.patch("/api/v1/tasks/{task_id}", response_model=TaskPublic)
def update_task(session: SessionDep, user_id: UserDep, task_id: UUID, new: TaskUpdate) -> Task:
    task = owned(session, user_id, task_id)
    task.sqlmodel_update(new.model_dump(exclude_unset=True))
    return store(session, task)


@app.post("/api/v1/tasks/{task_id}/toggle", response_model=TaskPublic)
def toggle_task(session: SessionDep, user_id: UserDep, task_id: UUID) -> Task:
    task = owned(session, user_id, task_id)
    task.completed = not task.completed
    return store(session, task)


@app.delete("/api/v1/tasks/{task_id}", status_code=204)
def delete_task(session: SessionDep, user_id: UserDep, task_id: UUID) -> None:
    session.delete(owned(session, user_id, task_id))
    session.commit()
