"""Takes out of a text of the outside what looks like a credential."""

from __future__ import annotations

import re

GONE = "[redacted]"

_NAMED = re.compile(
    r"""(?ix)
    ( [\w.-]* (?: secret | token | passw(?:or)?d | passphrase | credential | cookie | dsn
                | (?:api|private|access|signing)_?key | authorization | auth(?![a-z]) )
      [\w.-]* ["']? \s* [:=] \s* )
    ( (?:bearer|basic) \s+ \S+ | "[^"\n]*" | '[^'\n]*' | [^\s"',;&}]+ )
    """
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic)(\s+)[\w.~+/=-]{8,}")
_USER_INFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@", re.IGNORECASE)
_KNOWN = re.compile(
    r"""(?x)
    \b (?: sk-[\w-]{16,}                                 # OpenAI, Anthropic
         | xox[a-z]-[\w-]{8,} | xapp-[\w-]{8,}           # Slack
         | gh[a-z]_\w{20,} | github_pat_\w{20,}          # GitHub
         | (?:sk|rk|pk)_(?:live|test)_\w{8,} | whsec_\w{8,}  # Stripe
         | AKIA[0-9A-Z]{16}                              # AWS
         | eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}            # a JSON web token
       )"""
)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL)
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


def plain(text: str) -> str:
    """Take the colours of a terminal out of *text*."""
    return _ANSI.sub("", text)
