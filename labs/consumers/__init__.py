"""The WebSockets of a session."""

from labs.consumers.notices import SessionConsumer
from labs.consumers.terminal import TerminalConsumer

__all__ = ["SessionConsumer", "TerminalConsumer"]
