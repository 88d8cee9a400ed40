"""The HTTP operations on tasks: a table of contents."""

from fastapi import Response, status

from app.api import Limit, QueryBool, resource_router
from app.models import ResourceId
from app.tasks.models import TaskCreate, TaskPage, TaskRead, TaskReplace, TaskUpdate
from app.tasks.repository import Tasks

router = resource_router("tasks")


@router.post("", status_code=status.HTTP_201_CREATED)
def create_task(tasks: Tasks, task: TaskCreate, response: Response) -> TaskRead:
    """Creates a task of the caller."""
    created = tasks.create(task)
    response.headers["Location"] = f"{router.prefix}/{created.id}"
    return created


@router.get("")
def list_tasks(
    tasks: Tasks,
    completed: QueryBool | None = None,
    limit: Limit = 50,
    cursor: ResourceId | None = None,
) -> TaskPage:
    """The caller's tasks, newest first. Pass `next_cursor` as `cursor` to continue."""
    return tasks.list(completed=completed, limit=limit, cursor=cursor)


@router.get("/{task_id}")
def get_task(tasks: Tasks, task_id: ResourceId) -> TaskRead:
    """One of the caller's tasks."""
    return tasks.get(task_id)


@router.put("/{task_id}")
def replace_task(tasks: Tasks, task_id: ResourceId, task: TaskReplace) -> TaskRead:
    """Replaces a task: what is left out goes back to its default."""
    return tasks.replace(task_id, task)


@router.patch("/{task_id}")
def update_task(tasks: Tasks, task_id: ResourceId, task: TaskUpdate) -> TaskRead:
    """Changes what is given, and nothing else."""
    return tasks.update(task_id, task)


@router.post("/{task_id}/toggle")
def toggle_task(tasks: Tasks, task_id: ResourceId) -> TaskRead:
    """Completes an open task, reopens a completed one."""
    return tasks.toggle(task_id)


@router.delete("/{task_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_task(tasks: Tasks, task_id: ResourceId) -> None:
    """Deletes a task."""
    tasks.delete(task_id)
