"""The resources of this service. Yours: an update of the template never touches this file."""

from app.tasks.router import router as tasks

ROUTERS = [tasks]
