"""Every setting of this service: the kit's, and your own."""

from kit.settings import HeaderName
from kit.settings import Settings as KitSettings


class Settings(KitSettings):
    user_id_header: HeaderName
    """Set it to the request header in which your gateway names the user. The gateway must drop
    it from what clients send: anyone who can set it can impersonate any user."""
