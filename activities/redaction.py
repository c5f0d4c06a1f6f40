"""Takes out of a text of the outside what looks like a credential.

Whoever writes a log line chooses what is read here, so every pattern takes a time that grows
with the text and no faster: a word is entered at its beginning only, and never read twice.
"""

from __future__ import annotations

import re

GONE = "[redacted]"
READ = 4000
"""Characters of a text that are looked at when a few of its first are shown."""

_NAMED = re.compile(
    r"""(?ix)
    (?<! [\w.-] )
    ( (?= [\w.-]*? (?: secret | token | passw(?:or)?d | passphrase | credential | cookie | dsn
                     | (?:api|private|access|signing)_?key | authorization | auth(?![a-z]) ) )
      [\w.-]++ ["']?+ \s*+ [:=] \s*+ )
    # A quoted one goes to the end of its line where the text was cut before its closing mark.
    ( (?:bearer|basic) \s++ \S++ | "[^"\n]*+ "? | '[^'\n]*+ '? | [^\s"',;&}]++ )
    """
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic)(\s++)[\w.~+/=-]{8,}+")
_USER_INFO = re.compile(r"(://[^\s/:@]*+):[^\s/@]++@")
_KNOWN = re.compile(
    r"""(?x)
    \b (?: sk-[\w-]{16,}+                                # OpenAI, Anthropic
         | xox[a-z]-[\w-]{8,}+ | xapp-[\w-]{8,}+         # Slack
         | gh[a-z]_\w{20,}+ | github_pat_\w{20,}+        # GitHub
         | (?:sk|rk|pk)_(?:live|test)_\w{8,}+ | whsec_\w{8,}+  # Stripe
         | AKIA[0-9A-Z]{16}                              # AWS
         | eyJ[\w-]{8,}+ (?: \.[\w-]*+ ){0,2}+           # a JSON web token, or what is left of it
       )"""
)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL)
_PEM_END = re.compile(r"-----END [A-Z ]*+-----")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def redact(text: str, *secrets: str) -> str:
    """Replace what looks like a credential, and each of *secrets*, by a mark."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, GONE)
    text = _PEM.sub(GONE, text)
    text = _NAMED.sub(rf"\1{GONE}", text)
    text = _SCHEME.sub(rf"\1\2{GONE}", text)
    text = _USER_INFO.sub(rf"\1:{GONE}@", text)
    return _KNOWN.sub(GONE, text)


def beginning(text: str, most: int, *secrets: str, cut: bool = False) -> str:
    """Give the first *most* characters of *text*, redacted, however long it is.

    Args:
        text: What was said.
        most: How much of it is shown.
        secrets: As in `redact`.
        cut: Whether *text* itself is only the beginning of what was said.
    """
    if cut or len(text) > READ:
        # Half of a credential is not recognised as one: what the cut went through is dropped.
        text = text[:READ]
        for secret in filter(None, secrets):
            text = text.replace(secret, GONE)
        seam = max(text.rfind(mark) for mark in (" ", "\n", "\t", ",", ";"))
        text = text[:seam] if seam >= 0 else GONE
    return redact(text, *secrets)[:most]


def ending(text: str, most: int) -> str:
    """Give the whole lines among the last *most* characters of *text*, redacted and plain.

    More is read than is given, so that the name of a credential is not cut off from it.
    """
    tail = text[-4 * most :]
    if len(tail) < len(text):
        tail = tail.partition("\n")[2]
        end = _PEM_END.search(tail)
        if end and "-----BEGIN" not in tail[: end.start()]:
            tail = GONE + tail[end.end() :]
    redacted = redact(plain(tail))
    if len(redacted) > most:
        return redacted[-most:].partition("\n")[2]
    return redacted


def plain(text: str) -> str:
    """Take the colours of a terminal out of *text*."""
    return _ANSI.sub("", text)
