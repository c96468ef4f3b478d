"""How form fields are drawn."""

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def bare(field: BoundField) -> SafeString:
    """The field's input without the placeholder that allauth gives it: it repeats the label, too pale to read."""
    return field.as_widget(attrs={"placeholder": False})
