"""The WebSockets of a session."""

from labs.consumers.facts import FactsConsumer
from labs.consumers.notices import SessionConsumer
from labs.consumers.terminal import TerminalConsumer

__all__ = ["FactsConsumer", "SessionConsumer", "TerminalConsumer"]
