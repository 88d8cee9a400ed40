"""Alembic's environment: the kit's, with the models of this service."""

from kit.migrations import run

import app.resources  # noqa: F401 - imports every resource's tables

run()
