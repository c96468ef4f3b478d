"""{% icon "name" %}: a drawing of icons.svg, looked up once."""

from __future__ import annotations

import functools

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
@functools.lru_cache(256)
def icon(name: str) -> SafeString:
    return render_to_string("_icon.html", {"name": name})
