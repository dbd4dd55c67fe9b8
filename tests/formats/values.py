"""Values to write, and who can express or read which; NUL is in none, because no variable can carry it."""

import random

from canary import secret

# What means something to one reader or another, and what surrounds it.
PIECES = [
    "'", '"', "`", "\\", "\\n", "\\u0041", "\n", "\r", "\r\n", "\t", " ", "\f", "\v", "\b", "\x01", "\x1b", "\x7f",
    "#", " #", "!", "=", ":", ": ", ";", ",", "$", "${HOME}", "$(id)", "%", "&", "*", "-", "---", "...", "{", "}", "[", "]",
    "export ", "NAME=", "null", "true", "0x1f", "1e3", "~", "<", ">", "|", "@", "?",
    "\u0080", "\u0085", "\u00a0", "\u00e9", "e\u0301", "\u20ac", "\u2028", "\u2029", "\ufeff", "\ufffd", "\ufffe", "\uffff",
    "\U0001f511", "\U0001ffff", "\U0010ffff", "plain", "two words",
]  # fmt: skip

# The most that Key Vault takes, of what takes the least and the most room.
LARGEST = 25 * 1024


def _random(count):
    generator = random.Random(7)
    for number in range(count):
        parts = generator.choices(PIECES, k=generator.randrange(1, 8))
        # Some of any plane; surrogates are no characters.
        code = generator.choice([generator.randrange(1, 0xD800), generator.randrange(0xE000, 0x110000)])
        parts.insert(generator.randrange(len(parts) + 1), chr(code))
        parts.insert(generator.randrange(len(parts) + 1), secret(str(number)))
        yield "".join(parts)


def _pool():
    yield ""
    yield from PIECES
    for piece in PIECES:
        yield piece + secret("after") + piece
        yield secret("before") + piece + secret("after")
        yield piece * 3
    yield from _random(300)
    # Bytes that are no text.
    yield from (data.decode(errors="surrogateescape") for data in (b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"))


POOL = list(_pool())
LARGE = [piece * (LARGEST // len(piece.encode())) for piece in ("x", "\\", "'", '"', "\n", "\x01", "\u00e9", "\U0001f511")]


def is_text(value):
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def has_noncharacter(value):
    codes = map(ord, value)
    return any(code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF for code in codes)


EXPRESSIBLE = {
    "shell": lambda value: True,
    "kubelet": lambda value: is_text(value) and value != "" and "'" not in value and "\r\n" not in value,
    "docker": lambda value: is_text(value) and "\n" not in value and not value.endswith("\r"),
    "json": is_text,
    "yaml": is_text,
    "properties": is_text,
}


def named(values):
    """A variable for each value."""
    return {f"V{number}": value for number, value in enumerate(values)}
