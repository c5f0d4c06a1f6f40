"""Hands letters to a mail server, and says surely what is known of what became of them.

A server that has answered the final dot has the letter; one that was lost after it may have it.
Such a letter is sent again under the same Message-ID, by which a receiver knows it.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import formatdate, parseaddr
from typing import Literal

import aiosmtplib
from pydantic import SecretStr

from activities.errors import Ambiguous, Failed, Refused, Unavailable
from activities.redaction import redact

ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,250}")
"""An address of one mailbox, without a name."""
_MOST_SUBJECT = 200
_MOST_SAID = 300
_QUIT_SECONDS = 2.0
_NO_PASSWORD = SecretStr("")
_NO_STARTTLS = "the mail server offers no encryption (STARTTLS), so nothing is sent to it"


@dataclass(frozen=True)
class Letter:
    """One e-mail, the same to every recipient."""

    message_id: str
    to: tuple[str, ...]
    subject: str
    body: str


@dataclass(frozen=True)
class MailServer:
    """Where letters are handed in, and as whom."""

    host: str
    sender: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = _NO_PASSWORD
    trust: ssl.SSLContext | None = None
    """What its certificate is checked against; None is the machine's own authorities."""
    seconds: float = 10.0
    """Given to each answer of the server."""


class Smtp:
    """Hands letters to one mail server, on a new connection for each lot."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._address = parseaddr(server.sender)[1]
        if not ADDRESS.fullmatch(self._address):
            raise ValueError("the sender of e-mails is not an address")

    def message_id(self, key: str) -> str:
        """Make the Message-ID of an occasion: the same whoever sends it, and however often."""
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        return f"<{digest}@{self._address.rpartition('@')[2]}>"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Open a connection over which letters are handed in."""
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            username=server.user or None,
            password=server.password.get_secret_value() or None,
            tls_context=server.trust,
            local_hostname=self._address.rpartition("@")[2],
            timeout=server.seconds,
        )
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            # "from None": the error may hold what was sent, and so the password.
            raise self._unopened(error) from None
        try:
            yield Session(client, server, self._address)
        finally:
            try:
                await client.quit(timeout=_QUIT_SECONDS)
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                client.close()

    async def send(self, letter: Letter) -> tuple[str, ...]:
        """Hand in one letter; the recipients that were refused come back, in words."""
        async with self.session() as session:
            return await session.send(letter)

    def _unopened(self, error: Exception) -> Failed:
        """Say why there is no connection; nothing was sent."""
        if isinstance(error, aiosmtplib.SMTPResponseException):
            return answered(error, self._server.password)
        chain = (error, error.__cause__, error.__context__)
        if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
            return Refused("the mail server's certificate is not trusted")
        if isinstance(error, aiosmtplib.SMTPNotSupported) or "STARTTLS" in str(error):
            return Refused(_NO_STARTTLS)
        return Unavailable(f"the mail server: no answer ({type(error).__name__})")


class Session:
    """An open connection to the mail server."""

    def __init__(self, client: aiosmtplib.SMTP, server: MailServer, address: str) -> None:
        self._client = client
        self._server = server
        self._address = address

    async def send(self, letter: Letter) -> tuple[str, ...]:
        """Hand in a letter; it is in the server's hands when this returns."""
        refused, worst = await self._envelope(letter.to)
        if worst is not None and len(refused) == len(letter.to):
            raise worst
        raw = _written(letter, self._server.sender)
        try:
            await self._client.data(raw)
        except aiosmtplib.SMTPResponseException as error:
            raise answered(error, self._server.password) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise Ambiguous(
                f"the mail server was lost while it took the letter ({type(error).__name__}): "
                "it may have arrived"
            ) from None
        return tuple(refused)

    async def _envelope(self, to: Sequence[str]) -> tuple[list[str], Failed | None]:
        """Name sender and recipients; nothing is sent by that."""
        refused: list[str] = []
        worst: Failed | None = None
        try:
            await self._client.mail(self._address)
            for each in to:
                try:
                    await self._client.rcpt(each)
                except aiosmtplib.SMTPRecipientRefused as error:
                    said = answered(error, self._server.password)
                    refused.append(f"{each}: {said.message}")
                    worst = said if worst is None or not said.non_retryable else worst
            if len(refused) == len(to):
                await self._client.rset()
        except aiosmtplib.SMTPResponseException as error:
            raise answered(error, self._server.password) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            kind = type(error).__name__
            raise Unavailable(f"the mail server was lost before the letter ({kind})") from None
        return refused, worst


def answered(error: aiosmtplib.SMTPResponseException, password: SecretStr) -> Failed:
    """Classify an answer of the server that is no success: 4xx passes, 5xx does not."""
    said = redact(" ".join(error.message.split()), password.get_secret_value())[:_MOST_SAID]
    text = f"the mail server answered {error.code}: {said}"
    if 500 <= error.code < 600:
        return Refused(text)
    return Unavailable(text)


def _written(letter: Letter, sender: str) -> bytes:
    message = EmailMessage(policy=WIRE)
    message["From"] = sender
    message["To"] = ", ".join(letter.to)
    # A line break in a header would begin the next one.
    message["Subject"] = " ".join(letter.subject.split())[:_MOST_SUBJECT] or "Incident"
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = letter.message_id
    # Holiday notices answer a person, not a machine (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.body or "\n")
    return message.as_bytes()
