"""The way in for Daphne: HTTP to Django, WebSockets to the consumers behind origin check and sign-in; web previews, known by
their host name, to an application that has nothing of the site's."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labsite.settings")
get_asgi_application()

from labs.previews.app import Hosts  # noqa: E402
from labs.routing import websocket_urlpatterns  # noqa: E402  (models need the apps that the lines above load)
from labsite.handler import OneHopHandler  # noqa: E402
from labsite.logs import Requests  # noqa: E402

application = Requests(Hosts(ProtocolTypeRouter({
    "http": OneHopHandler(),
    "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
})))
