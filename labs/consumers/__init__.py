"""The WebSockets of a session."""

from labs.consumers.notices import SessionConsumer

__all__ = ["SessionConsumer"]
