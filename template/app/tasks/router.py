"""The HTTP operations on tasks."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status
from kit.body_limit import no_body
from kit.parameters import IdempotencyKey

from app.identity import CallerDatabase
from app.tasks.models import TaskCreate, TaskPage, TaskPublic, TaskReplace, TaskUpdate
from app.tasks.repository import TaskRepository

router = APIRouter(prefix="/tasks", tags=["tasks"])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_task(
    database: CallerDatabase,
    task: TaskCreate,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> TaskPublic:
    """Creates a task of the caller."""
    created = await TaskRepository(database).create(task, idempotency_key)
    response.headers["Location"] = f"{request.url.path}/{created.id}"
    return created


@router.get("")
async def list_tasks(
    database: CallerDatabase,
    completed: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: UUID | None = None,
) -> TaskPage:
    """The caller's tasks, newest first. Pass `next_cursor` as `cursor` to continue."""
    return await TaskRepository(database).page(completed=completed, limit=limit, cursor=cursor)


@router.get("/{task_id}")
async def get_task(database: CallerDatabase, task_id: UUID) -> TaskPublic:
    """One of the caller's tasks."""
    return await TaskRepository(database).get(task_id)


@router.put("/{task_id}")
async def replace_task(database: CallerDatabase, task_id: UUID, task: TaskReplace) -> TaskPublic:
    """Replaces a task. All fields are required."""
    return await TaskRepository(database).replace(task_id, task)


@router.patch("/{task_id}")
async def update_task(database: CallerDatabase, task_id: UUID, task: TaskUpdate) -> TaskPublic:
    """Changes the fields that are given, and nothing else."""
    return await TaskRepository(database).update(task_id, task)


@router.post("/{task_id}/toggle", dependencies=[Depends(no_body)])
async def toggle_task(database: CallerDatabase, task_id: UUID) -> TaskPublic:
    """Completes an open task, or reopens a completed one."""
    return await TaskRepository(database).toggle(task_id)


@router.delete(
    "/{task_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Depends(no_body)]
)
async def delete_task(database: CallerDatabase, task_id: UUID) -> None:
    """Deletes a task."""
    await TaskRepository(database).delete(task_id)
