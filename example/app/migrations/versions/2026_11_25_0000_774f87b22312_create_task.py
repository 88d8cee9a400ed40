"""create task"""

import sqlalchemy as sa
from alembic import op

revision = "774f87b22312"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "task",
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=10000), nullable=False),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_task"),
        sa.UniqueConstraint("user_id", "idempotency_key", name="uq_task_user_id_idempotency_key"),
    )
    op.create_index("ix_task_user_id_completed_id", "task", ["user_id", "completed", "id"])


def downgrade() -> None:
    op.drop_table("task")
