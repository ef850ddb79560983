"""Inputs made from others by chance that is the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

LONGEST = 4096
# Signs that mean something to a parser of this project, and limits of numbers.
TOKENS = (
    *(b"\n", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\x1b[31m", b" ", b"\t"),
    *(b",", b",,", b";", b"=", b":", b"#", b"%", b"%(a)s", b'"', b"'", b"\\", b"[", b"]", b"{"),
    *(b"}", b"&a ", b"*a", b"!!int ", b"---\n", b"- ", b"? ", b"|\n", b"\\ud800", b"\\u0000"),
    *(b"0", b"-1", b"1e999", b"NaN", b"null", b"true", b"[]", b"{}", b'""', b"0x", b"65536"),
    *(b"18446744073709551616", b"9" * 5000, b"[" * 200, b'{"a":' * 100, b"\n" * 500),
    *("\N{ARABIC-INDIC DIGIT THREE}".encode(), "\N{LATIN SMALL LETTER DOTLESS I}".encode()),
)


def mutations(corpus: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """Yield `count` inputs, each made of one of `corpus` by one to four changes."""
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.randint(1, 4)):
            _change(data, chance, corpus)
        yield bytes(data[:LONGEST])


def _change(data: bytearray, chance: random.Random, corpus: Sequence[bytes]) -> None:
    begin = chance.randint(0, len(data))
    end = min(len(data), begin + chance.choice((0, 1, 4, 16)))
    kind = chance.randrange(4)
    if kind == 0:
        data[begin:end] = chance.choice(TOKENS)
    elif kind == 1:
        data[begin:end] = data[begin:end] * chance.randint(0, 3)
    elif kind == 2:
        data[begin:end] = chance.randbytes(end - begin)
    else:
        other = chance.choice(corpus)
        cut = chance.randint(0, len(other))
        data[begin:end] = other[cut : cut + 64]
