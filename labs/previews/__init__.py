"""Web previews: a port of a student's machine, shown through the site on an origin of its own.

    browser -> asgi.py (by host name) -> app.py -> tunnel.py -> Redis -> runtime_agent.tunnel -> the machine's port

What the machine sends is a stranger's: this package parses it without privileges, takes nothing of the site's
along, and lets nothing through that would reach beyond the preview's own host name.
docs/adr/0006-web-previews.md says why.
"""
