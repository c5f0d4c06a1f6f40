"""Stands in for a mail server: real SMTP on loopback, with STARTTLS and a password if wanted."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email
import email.policy
import ipaddress
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_SECONDS = 30.0
_MOST_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Fault:
    """One way to fail at a command, or "." for the final dot."""

    at: str
    reply: str = ""
    """Said instead of doing it; empty drops the connection."""
    done: bool = False
    """The letter is taken all the same."""
    seconds: float = 0.0
    """Of silence before that."""


@dataclass(frozen=True)
class Mail:
    """One letter that was taken."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    body: str
    message_id: str
    encrypted: bool
    user: str


@dataclass
class _Talk:
    """What one client has said so far."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    encrypted: bool = False
    user: str = ""
    sender: str = ""
    recipients: list[str] = field(default_factory=list)

    async def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    def begin(self) -> None:
        self.sender, self.recipients = "", []


class SmtpStandIn:
    """Takes letters, and refuses what a mail server refuses."""

    def __init__(
        self,
        *,
        user: str = "",
        password: str = "",
        certificate: Path | None = None,
        nobody: tuple[str, ...] = (),
    ) -> None:
        """Say who may come, with what certificate (and key) it proves itself, whom it lacks."""
        self._user, self._password = user, password
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(certificate)
        self._nobody = nobody
        self._faults: list[Fault] = []
        self._server: asyncio.Server | None = None
        self.port = 0
        self.mails: list[Mail] = []
        self.commands: list[str] = []

    def fail(self, *faults: Fault) -> None:
        """Fail in these ways, each once."""
        self._faults += faults

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = _Talk(reader, writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                if await self._passes(talk, "CONNECT"):
                    await talk.say("220 mail.test ESMTP stand-in")
                    while await self._answer(talk, (await reader.readline()).decode().strip()):
                        pass
        talk.writer.transport.abort()

    async def _passes(self, talk: _Talk, at: str) -> bool:
        """Fail at *at* where that is told; without a reply the connection is lost."""
        fault = next((each for each in self._faults if each.at == at), None)
        if fault is None:
            return True
        self._faults.remove(fault)
        await asyncio.sleep(fault.seconds)
        if not fault.reply:
            raise ConnectionResetError
        await talk.say(fault.reply)
        return False

    async def _answer(self, talk: _Talk, line: str) -> bool:
        """Answer one command; False ends the talk."""
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        self.commands.append(verb if verb == "AUTH" else line)
        if not verb or verb == "QUIT":
            await talk.say("221 bye")
            return False
        if not await self._passes(talk, verb):
            return True
        if verb in {"EHLO", "HELO"}:
            await talk.say(*self._greeting(talk))
        elif verb == "STARTTLS" and self._context is not None:
            await talk.say("220 go ahead")
            await talk.writer.start_tls(self._context)
            talk.encrypted = True
        elif verb == "AUTH":
            await talk.say(self._login(talk, rest))
        elif self._user and not talk.user:
            await talk.say("530 5.7.0 authentication required")
        else:
            await self._take(talk, verb, rest)
        return True

    def _greeting(self, talk: _Talk) -> list[str]:
        offers = ["SIZE 10485760", "8BITMIME"]
        offers += ["STARTTLS"] if self._context is not None and not talk.encrypted else []
        offers += ["AUTH PLAIN"] if self._user and (talk.encrypted or not self._context) else []
        named = ["mail.test", *offers]
        return [f"250-{each}" for each in named[:-1]] + [f"250 {named[-1]}"]

    def _login(self, talk: _Talk, rest: str) -> str:
        said = base64.b64decode(rest.partition(" ")[2] or "=").decode().split("\0")
        if said[-2:] != [self._user, self._password]:
            return f"535 5.7.8 wrong password for {' '.join(said[-2:])}"
        talk.user = self._user
        return "235 2.7.0 welcome"

    async def _take(self, talk: _Talk, verb: str, rest: str) -> None:
        address = rest[rest.find("<") + 1 : rest.find(">")]
        if verb == "MAIL":
            talk.begin()
            talk.sender = address
            await talk.say("250 2.1.0 ok")
        elif verb == "RCPT" and address in self._nobody:
            await talk.say(f"550 5.1.1 no such user here: {address}")
        elif verb == "RCPT" and talk.sender:
            talk.recipients.append(address)
            await talk.say("250 2.1.5 ok")
        elif verb == "DATA" and talk.recipients:
            await talk.say("354 end with a dot")
            await self._letter(talk)
        elif verb in {"RSET", "NOOP"}:
            talk.begin()
            await talk.say("250 2.0.0 ok")
        else:
            await talk.say("503 5.5.1 not now")

    async def _letter(self, talk: _Talk) -> None:
        lines: list[bytes] = []
        while (line := await talk.reader.readline()) not in {b".\r\n", b""}:
            lines.append(line[1:] if line.startswith(b"..") else line)
            if sum(map(len, lines)) > _MOST_BYTES:
                await talk.say("552 5.3.4 too large")
                return
        fault = next((each for each in self._faults if each.at == "."), None)
        if fault is None or fault.done:
            self._keep(talk, b"".join(lines))
        if await self._passes(talk, "."):
            await talk.say("250 2.0.0 queued")
        talk.begin()

    def _keep(self, talk: _Talk, raw: bytes) -> None:
        letter = email.message_from_bytes(raw, policy=email.policy.default)
        body = letter.get_body()
        self.mails.append(
            Mail(
                sender=talk.sender,
                recipients=tuple(talk.recipients),
                subject=str(letter["Subject"]),
                body=str(body.get_content()) if body is not None else "",
                message_id=str(letter["Message-ID"]),
                encrypted=talk.encrypted,
                user=talk.user,
            )
        )


def certificate(folder: Path, host: str = "127.0.0.1") -> Path:
    """Make a certificate that signs itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address(host))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    path.chmod(0o600)
    return path
