"""One user's tasks: every statement there is, each of them one round trip."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from sqlalchemy import Executable
from sqlmodel import col, delete, insert, not_, select, update

from app.database import CurrentUserDatabase, UserDatabase
from app.errors import NotFound
from app.models import new_id
from app.tasks.models import Task, TaskCreate, TaskPage, TaskRead, TaskReplace, TaskUpdate


class TaskRepository:
    def __init__(self, database: UserDatabase) -> None:
        self._database = database
        self._mine = col(Task.user_id) == database.user_id

    def create(self, task: TaskCreate) -> TaskRead:
        values = task.model_dump() | {"user_id": self._database.user_id, "id": new_id()}
        return self._one(insert(Task).values(values).returning(Task))

    def list(self, *, completed: bool | None, limit: int, cursor: UUID | None) -> TaskPage:
        statement = select(Task).where(self._mine).order_by(col(Task.id).desc()).limit(limit + 1)
        if completed is not None:
            statement = statement.where(col(Task.completed) == completed)
        if cursor is not None:
            statement = statement.where(col(Task.id) < cursor)
        tasks = [TaskRead.model_validate(row) for row in self._database.execute(statement)]
        more = len(tasks) > limit
        return TaskPage(items=tasks[:limit], next_cursor=tasks[limit - 1].id if more else None)

    def get(self, task_id: UUID) -> TaskRead:
        return self._one(select(Task).where(self._mine, col(Task.id) == task_id))

    def replace(self, task_id: UUID, task: TaskReplace) -> TaskRead:
        return self._update(task_id, task.model_dump())

    def update(self, task_id: UUID, task: TaskUpdate) -> TaskRead:
        changes = task.model_dump()
        return self._update(task_id, changes) if changes else self.get(task_id)

    def toggle(self, task_id: UUID) -> TaskRead:
        return self._update(task_id, {"completed": not_(col(Task.completed))})

    def delete(self, task_id: UUID) -> None:
        statement = delete(Task).where(self._mine, col(Task.id) == task_id)
        if not self._database.execute(statement.returning(col(Task.id))):
            raise NotFound

    def _update(self, task_id: UUID, values: dict[str, Any]) -> TaskRead:
        statement = update(Task).where(self._mine, col(Task.id) == task_id).values(values)
        return self._one(statement.returning(Task))

    def _one(self, statement: Executable) -> TaskRead:
        for row in self._database.execute(statement):
            return TaskRead.model_validate(row)
        raise NotFound


async def _repository(database: CurrentUserDatabase) -> TaskRepository:
    return TaskRepository(database)


Tasks = Annotated[TaskRepository, Depends(_repository)]
