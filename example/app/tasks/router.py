"""The caller's tasks. Nobody sees those of another user."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from kit.body_limit import no_body
from kit.parameters import Cursor, IdempotencyKey, Limit

from app.identity import CallerDatabase
from app.tasks.models import TaskCreate, TaskPage, TaskPublic, TaskReplace, TaskUpdate
from app.tasks.repository import TaskRepository

router = APIRouter(prefix="/tasks", tags=["tasks"])

TaskId = Annotated[UUID, Path(description="The `id` of a task.")]
Done = Annotated[bool | None, Query(description="Only tasks that are done (true) or not (false).")]
NO_BODY = [Depends(no_body)]


@router.post("", status_code=201, response_description="The stored task.")
async def create_task(
    database: CallerDatabase,
    task: TaskCreate,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> TaskPublic:
    """Creates a task of the caller.

    With an `Idempotency-Key` the same request may be sent again, after a 5xx or no response.
    It is stored once: each response is a 201 with what the first request stored.
    """
    created = await TaskRepository(database).create(task, idempotency_key)
    response.headers["Location"] = f"{request.url.path}/{created.id}"
    return created


@router.get("", response_description="A page, newest first.")
async def list_tasks(
    database: CallerDatabase,
    completed: Done = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> TaskPage:
    """Lists the caller's tasks, newest first, in pages.

    For the next page, send the `next_cursor` of this one as `cursor`, until it is null.
    """
    return await TaskRepository(database).page(completed=completed, limit=limit, cursor=cursor)


@router.get("/{task_id}", response_description="The task.")
async def get_task(database: CallerDatabase, task_id: TaskId) -> TaskPublic:
    """Gets one of the caller's tasks by its id."""
    return await TaskRepository(database).get(task_id)


@router.put("/{task_id}", response_description="The task.")
async def replace_task(database: CallerDatabase, task_id: TaskId, task: TaskReplace) -> TaskPublic:
    """Replaces a task.

    All fields are required. To change some of them, use PATCH.
    """
    return await TaskRepository(database).replace(task_id, task)


@router.patch("/{task_id}", response_description="The task.")
async def update_task(database: CallerDatabase, task_id: TaskId, task: TaskUpdate) -> TaskPublic:
    """Changes some fields of a task.

    Fields that are left out stay as they are. The request may be sent again.
    """
    return await TaskRepository(database).update(task_id, task)


@router.post("/{task_id}/toggle", dependencies=NO_BODY, response_description="The task.")
async def toggle_task(database: CallerDatabase, task_id: TaskId) -> TaskPublic:
    """Flips `completed` of a task.

    Do not send it again: that flips it back. To set `completed`, use PATCH.
    """
    return await TaskRepository(database).toggle(task_id)


@router.delete("/{task_id}", status_code=204, dependencies=NO_BODY, response_description="Deleted.")
async def delete_task(database: CallerDatabase, task_id: TaskId) -> Response:
    """Deletes a task. A second request gets a 404."""
    await TaskRepository(database).delete(task_id)
    return Response(status_code=204)
