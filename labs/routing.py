"""The addresses of the WebSockets. Ids are judged by the consumers: a bad one gets its close code, not a failed handshake."""

from django.urls import path

from labs.consumers import FactsConsumer, SessionConsumer, TerminalConsumer

websocket_urlpatterns = [
    path("ws/sessions/<str:session_id>/", SessionConsumer.as_asgi()),
    path("ws/sessions/<str:session_id>/facts/", FactsConsumer.as_asgi()),
    path("ws/sessions/<str:session_id>/terminals/<int:number>/", TerminalConsumer.as_asgi()),
]
