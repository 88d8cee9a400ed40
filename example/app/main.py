"""The application. Middleware, mounts, exception handlers and a lifespan of your own go here."""

from kit.application import create_app

from app.resources import ROUTERS
from app.settings import Settings

app = create_app(Settings.load(), ROUTERS)
