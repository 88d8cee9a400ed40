"""create task"""

import sqlalchemy as sa
from alembic import op

from app.migrations.row_security import drop_user_role, enable_row_security

revision = "774f87b22312"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "task",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.CheckConstraint("char_length(description) <= 10000", name="description_length"),
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 200", name="title_length"),
        sa.CheckConstraint("char_length(user_id) BETWEEN 1 AND 255", name="user_id_length"),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_task"),
    )
    enable_row_security("task")


def downgrade() -> None:
    op.drop_table("task")
    drop_user_role()
