"""How amounts of bytes are written: in powers of 1024 by their own names, as the X-ray does (static/src/js/xray/draw.js)."""

from django import template
from django.utils.formats import number_format

register = template.Library()
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@register.filter
def binary_size(amount_bytes: float | None) -> str:
    """``1536`` is 1.5 KiB; below ten with one digit behind the point, else whole. Nothing is written for what isn't known."""
    if amount_bytes is None or amount_bytes == "":
        return ""
    amount, step = float(amount_bytes), 0
    while amount >= 1024 and step < len(UNITS) - 1:
        amount, step = amount / 1024, step + 1
    digits = 1 if step and amount < 10 else 0
    return f"{number_format(round(amount, digits), digits)}\xa0{UNITS[step]}"
