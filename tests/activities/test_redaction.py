import time

import pytest

from activities.redaction import GONE, READ, beginning, ending, redact

SECRET = "s3cr3t-of-somebody"
LONG = 200_000

# In each something begins again and again, and never comes to its end.
ADVERSARIAL = {
    "one letter": "a" * LONG,
    "one word of names": "token" * (LONG // 5),
    "names apart by dots": "api_key." * (LONG // 8),
    "names and spaces": "token      " * (LONG // 11),
    "one name and spaces": "token" + " " * LONG,
    "open quotes": 'token="' * (LONG // 7),
    "open quotes and lines": "token='\n" * (LONG // 8),
    "half an address": "a-b.c+" * (LONG // 6) + "://" + "u:" * 1000,
    "addresses without an end": "redis://:" * (LONG // 9),
    "halves of web tokens": "eyJ-" * (LONG // 4),
    "web tokens without dots": "eyJaaaaaaaa " * (LONG // 12),
    "schemes": "bearer " * (LONG // 7),
    "a scheme and spaces": "bearer" + " " * LONG,
    "beginnings of keys": "-----BEGIN " * (LONG // 11),
    "a key that never ends": "-----BEGIN PRIVATE KEY-----" + "-----END A" * (LONG // 10),
    "known prefixes": "sk-live-xoxb-" * (LONG // 13),
    "colours": "\x1b[0;" * (LONG // 4),
}


@pytest.mark.parametrize("text", ADVERSARIAL.values(), ids=ADVERSARIAL.keys())
def test_no_text_makes_redaction_slow(text):
    begun = time.perf_counter()
    redact(text)
    taken = time.perf_counter() - begun

    assert taken < 1.0  # for 200 kB on a busy machine; what is shown is far less


@pytest.mark.parametrize("text", ADVERSARIAL.values(), ids=ADVERSARIAL.keys())
@pytest.mark.parametrize(
    "show", [lambda text: beginning(text, 300), lambda text: ending(text, 300)]
)
def test_a_few_characters_of_a_long_text_are_had_at_once(text, show):
    begun = time.perf_counter()
    shown = show(text * 10)
    taken = time.perf_counter() - begun

    assert len(shown) <= 300
    assert taken < 0.1


SECRETS = {
    "an address": f"postgres://app:{SECRET}@db.example:5432/app",
    "a name": f"STRIPE_KEY_TOKEN={SECRET}",
    "a name and a quoted value": f'password="with {SECRET}, and more"',
    "a header": f"Authorization: Bearer {SECRET}",
    "a web token": f"eyJhbGciOiJI.{SECRET}{SECRET}.{SECRET}",
    "a known prefix": f"sk-{SECRET}{SECRET}",
    "a private key": f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_credential_that_the_cut_goes_through_does_not_leak(secret):
    for position in range(READ - len(secret) - 2, READ + 2):
        # What is redacted before it brings the cut to the front, where it is shown.
        text = f"token={'x' * (position - 7)} {secret} and on it goes " + "y " * READ
        shown = beginning(text, 300)
        for length in range(8, len(SECRET)):
            assert SECRET[:length] not in shown, shown


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_credential_that_the_far_side_cut_does_not_leak(secret):
    for end in range(1, len(secret)):
        shown = beginning(f"it said {secret[:end]}", 300, cut=True)
        assert SECRET[:8] not in shown, shown


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_the_end_of_a_long_text_holds_no_half_of_a_credential(secret):
    for fill in range(1000, 1000 + len(secret) + 4):
        text = f"{'early ' * 1000}\n{secret}\n" + "z" * (4 * 300 - fill % 1200) + "\nthe last line"
        shown = ending(text, 300)
        assert SECRET[-8:] not in shown, shown
        assert shown.endswith("the last line")


def test_a_private_key_whose_beginning_is_out_of_sight_is_taken_out():
    key = "\n".join(
        ["-----BEGIN PRIVATE KEY-----", *["MIIEvQ" * 10] * 30, "-----END PRIVATE KEY-----"]
    )

    shown = ending(f"start\n{key}\nand on", 300)

    assert "MIIEvQ" not in shown
    assert shown.endswith("and on")


def test_a_short_text_is_shown_whole():
    assert beginning("disk full", 300) == "disk full"
    assert beginning(f"token={SECRET} then", 300) == f"token={GONE} then"
    assert ending("one\ntwo\n", 300) == "one\ntwo\n"
