"""The addresses of the WebSockets."""

from django.urls import path

from labs.consumers import SessionConsumer, TerminalConsumer

websocket_urlpatterns = [
    path("ws/sessions/<uuid:session_id>/", SessionConsumer.as_asgi()),
    path("ws/sessions/<uuid:session_id>/terminals/<int:number>/", TerminalConsumer.as_asgi()),
]
