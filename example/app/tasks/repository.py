"""One user's tasks: all statements on them. Each statement is one round trip."""

from dataclasses import dataclass
from uuid import UUID

from kit.database import OWNER, UserDatabase
from kit.errors import NotFound
from kit.models import LAST_ID, new_id
from sqlalchemy import Executable, bindparam
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, delete, not_, select, update

from app.tasks.models import Task, TaskCreate, TaskPage, TaskPublic, TaskReplace, TaskUpdate

# Statements are built once, because building one takes longer than running it. They get their
# values when they run: OWNER is the user of the `UserDatabase` that runs them.
OF_USER = col(Task.user_id) == OWNER
OF_USER_BY_ID = (OF_USER, col(Task.id) == bindparam("this_id"))

INSERT = insert(Task).values(user_id=OWNER)
# A create that is sent again with its key returns what the first one stored. The update changes
# nothing: with DO NOTHING there would be no row to return.
CREATE = INSERT.on_conflict_do_update(
    index_elements=["user_id", "idempotency_key"],
    set_={"idempotency_key": INSERT.excluded.idempotency_key},
).returning(Task)
LIST = (
    select(Task)
    .where(OF_USER, col(Task.id) < bindparam("cursor"))
    .order_by(col(Task.id).desc())
    .limit(bindparam("limit"))
)
LIST_BY_COMPLETED = LIST.where(col(Task.completed) == bindparam("completed"))
GET = select(Task).where(*OF_USER_BY_ID)
UPDATE = update(Task).where(*OF_USER_BY_ID).returning(Task)
TOGGLE = UPDATE.values(completed=not_(col(Task.completed)))
DELETE = delete(Task).where(*OF_USER_BY_ID).returning(col(Task.id))


@dataclass(frozen=True)
class TaskRepository:
    database: UserDatabase

    async def create(self, task: TaskCreate, idempotency_key: str | None = None) -> TaskPublic:
        values = task.model_dump()
        return await self._one(CREATE, id=new_id(), idempotency_key=idempotency_key, **values)

    async def page(self, *, completed: bool | None, limit: int, cursor: UUID | None) -> TaskPage:
        statement = LIST if completed is None else LIST_BY_COMPLETED
        filters = {} if completed is None else {"completed": completed}
        rows = await self.database.execute(
            statement, cursor=cursor or LAST_ID, limit=limit + 1, **filters
        )
        return TaskPage.model_construct(
            items=[TaskPublic.model_construct(**row) for row in rows[:limit]],
            next_cursor=rows[limit - 1]["id"] if len(rows) > limit else None,
        )

    async def get(self, task_id: UUID) -> TaskPublic:
        return await self._one(GET, this_id=task_id)

    async def replace(self, task_id: UUID, task: TaskReplace) -> TaskPublic:
        return await self._one(UPDATE, this_id=task_id, **task.model_dump())

    async def update(self, task_id: UUID, task: TaskUpdate) -> TaskPublic:
        changes = task.model_dump()
        return await self._one(UPDATE if changes else GET, this_id=task_id, **changes)

    async def toggle(self, task_id: UUID) -> TaskPublic:
        return await self._one(TOGGLE, this_id=task_id)

    async def delete(self, task_id: UUID) -> None:
        if not await self.database.execute(DELETE, this_id=task_id):
            raise NotFound

    async def _one(self, statement: Executable, **values: object) -> TaskPublic:
        for row in await self.database.execute(statement, **values):
            return TaskPublic.model_construct(**row)
        raise NotFound
