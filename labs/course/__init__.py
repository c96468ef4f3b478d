"""Courses as files: reading, checking and publishing them. Pure Python; it must never import Django."""
