"""What is made of the settings of e-mail."""

from __future__ import annotations

import ssl
from pathlib import Path

from activities.email import Email
from activities.smtp import MailServer, Smtp
from activities.support import Support
from workers.email_settings import EmailSettings
from workers.parts import Parts
from workers.settings import Settings, SettingsWrong, variable
from workflows.efforts import Queue


def email(parts: Parts, settings: Settings) -> Smtp | None:
    """Add letters to people and to support; give the way by which they go, where there is one."""
    smtp = mail_server(settings.email)
    if smtp is None:
        setting = variable("email", "host")
        parts.lack("E-mail", setting, Email, queue=Queue.MESSAGES)
        parts.lack("E-mail", setting, Support)
        return None
    parts.add(Email(smtp), queue=Queue.MESSAGES)
    parts.add(Support(smtp, settings.email.recipients))
    return smtp


def mail_server(section: EmailSettings) -> Smtp | None:
    """Make the way by which letters go; None where it is not set up."""
    if not section.host:
        return None
    return Smtp(
        MailServer(
            host=section.host,
            sender=section.sender,
            port=section.port,
            security=section.security,
            user=section.user,
            password=section.password,
            trust=_trust(section.authority) if section.authority else None,
        )
    )


def _trust(authority: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        wrong = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        name = variable("email", "authority")
        raise SettingsWrong(f"email.authority: {wrong} ({name})") from None
