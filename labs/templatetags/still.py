"""Parts of a page that are rendered once in each language and process.

{% still %} ... {% endstill %} is the same for everybody. It sees nothing of the page: no user, no request, no variable.
What could ask for one is refused when the template is read.

{% alike "part.html" name=value %} is a part that is the same wherever its values are. It sees these and nothing else.
"""

from __future__ import annotations

import functools

from django import template
from django.conf import settings
from django.template.base import FilterExpression, Node, NodeList, Parser, TextNode, Token, Variable
from django.template.defaulttags import URLNode
from django.template.loader import render_to_string
from django.template.loader_tags import IncludeNode
from django.templatetags.i18n import TranslateNode
from django.templatetags.static import StaticNode
from django.utils.safestring import SafeString
from django.utils.translation import get_language

ALLOWED = (TextNode, TranslateNode, StaticNode, URLNode, IncludeNode)
"""An included template gets only the words that stand behind ``with``."""
MOST_ALIKE = 4096
"""Of half a KB; a course has 60 lessons with five sections each, and one line for each state of each of them."""
register = template.Library()


@register.simple_tag
def alike(part: str, **values: str | int | bool | None) -> SafeString:
    return _alike(part, get_language(), **values)


@functools.lru_cache(MOST_ALIKE, typed=True)
def _alike(part: str, language: str | None, **values: str | int | bool | None) -> SafeString:
    return render_to_string(part, values)


class StillNode(Node):
    def __init__(self, nodelist: NodeList):
        self.nodelist = nodelist
        self.rendered: dict[str | None, SafeString] = {}

    def render(self, context: template.Context) -> SafeString:
        language = get_language()
        if language not in self.rendered or settings.DEBUG:
            alone = template.Context()
            with alone.bind_template(context.template):
                self.rendered[language] = self.nodelist.render(alone)
        return self.rendered[language]


@register.tag
def still(parser: Parser, token: Token) -> StillNode:
    nodelist = parser.parse(("endstill",))
    parser.delete_first_token()
    for node in nodelist:
        if not isinstance(node, ALLOWED) or any(_is_variable(expression) for expression in _expressions(node)):
            raise template.TemplateSyntaxError(f"{node!r} may differ from reader to reader: it can't stand in {{% still %}}")
    return StillNode(nodelist)


def _expressions(node: Node) -> list[FilterExpression]:
    match node:
        case TranslateNode():
            return [node.filter_expression]
        case StaticNode():
            return [node.path]
        case URLNode():
            return [node.view_name, *node.args, *node.kwargs.values()]
        case IncludeNode():
            return [node.template, *node.extra_context.values()]
    return []


def _is_variable(expression: FilterExpression) -> bool:
    return isinstance(expression.var, Variable) and expression.var.lookups is not None
