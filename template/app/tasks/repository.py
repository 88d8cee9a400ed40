"""One user's tasks: every statement there is, each of them one round trip."""

from typing import Annotated
from uuid import UUID

from sqlalchemy import Executable, bindparam
from sqlmodel import col, delete, insert, not_, select, update

from app.database import OWNER, UserDatabase, of_caller
from app.errors import NotFound
from app.models import LAST_ID, new_id
from app.tasks.models import Task, TaskCreate, TaskPage, TaskRead, TaskReplace, TaskUpdate

# Built once, and given their values when they run: building one takes longer than running it.
MINE = col(Task.user_id) == OWNER
THIS = (MINE, col(Task.id) == bindparam("this_id"))

CREATE = insert(Task).values(user_id=OWNER).returning(Task)
LIST = (
    select(Task)
    .where(MINE, col(Task.id) < bindparam("cursor"))
    .order_by(col(Task.id).desc())
    .limit(bindparam("limit"))
)
GET = select(Task).where(*THIS)
UPDATE = update(Task).where(*THIS).returning(Task)
TOGGLE = UPDATE.values(completed=not_(col(Task.completed)))
DELETE = delete(Task).where(*THIS).returning(col(Task.id))


class TaskRepository:
    def __init__(self, database: UserDatabase) -> None:
        self._database = database

    def create(self, task: TaskCreate) -> TaskRead:
        return self._one(CREATE, id=new_id(), **task.model_dump())

    def list(self, *, completed: bool | None, limit: int, cursor: UUID | None) -> TaskPage:
        statement = LIST if completed is None else LIST.where(col(Task.completed) == completed)
        rows = self._database.execute(statement, cursor=cursor or LAST_ID, limit=limit + 1)
        next_cursor = rows[limit - 1]["id"] if len(rows) > limit else None
        return TaskPage.model_validate({"items": rows[:limit], "next_cursor": next_cursor})

    def get(self, task_id: UUID) -> TaskRead:
        return self._one(GET, this_id=task_id)

    def replace(self, task_id: UUID, task: TaskReplace) -> TaskRead:
        return self._one(UPDATE, this_id=task_id, **task.model_dump())

    def update(self, task_id: UUID, task: TaskUpdate) -> TaskRead:
        changes = task.model_dump()
        return self._one(UPDATE if changes else GET, this_id=task_id, **changes)

    def toggle(self, task_id: UUID) -> TaskRead:
        return self._one(TOGGLE, this_id=task_id)

    def delete(self, task_id: UUID) -> None:
        if not self._database.execute(DELETE, this_id=task_id):
            raise NotFound

    def _one(self, statement: Executable, **values: object) -> TaskRead:
        for row in self._database.execute(statement, **values):
            return TaskRead.model_validate(row)
        raise NotFound


Tasks = Annotated[TaskRepository, of_caller(TaskRepository)]
