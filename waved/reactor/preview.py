"""Where the preview answers."""

from __future__ import annotations

from waved.domain.state import Session


def preview_url(session: Session) -> str:
    """The preview's address; "" when there is none, or its port is not known yet."""
    settings, guards = session.plan.preview, session.guards
    if settings is None:
        return ""
    port = guards.preview.port if guards is not None and guards.preview is not None else 0
    if "{port}" not in settings.url:
        return settings.url
    return settings.url.replace("{port}", str(port)) if port else ""
