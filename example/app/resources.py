"""The resources of this service."""

from app.tasks.router import router as tasks

ROUTERS = [tasks]
