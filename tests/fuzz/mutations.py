"""Mutations of a valid file: of its bytes, and of its structure where it has one."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

INTEGERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 1.5, -0.0, 1e308, 10**30, 2**31, 2**63, 2**64),
    *(float("nan"), float("inf"), "", "x", "0", "x" * 1000, "../x", "/x", "a\nb", "\x1b[2J"),
    *("한글", "\ud800", "\0", [], {}, [[]], [1, "x"], {"a": {}}, {"": None}),
)
WORDS = (
    *("", "0", "1", "-1", "1.5", "nan", "inf", "1e400", "9" * 5000, "true", '"', '"x"', "''"),
    *("[]", "[1, 2]", "{}", "{a = 1}", "../x", "/x", "\\x", "a\0b", "\x1b[2J", "한글", "x" * 300),
    *("1979-05-27", "[" * 300, "{a=" * 100, ".".join("a" * 500), '"""', "[[member]]"),
    *("[training]", "#", "=", ","),
)


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Change one to four things: flip, cut, insert, duplicate, swap, splice in an integer."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(changed) + 1)
        end = min(len(changed), start + rng.choice((1, 2, 4, 8, 16, 64, 256)))
        rng.choice(_CHANGES)(changed, start, end, rng)
    return bytes(changed)


def _flip(changed: bytearray, start: int, end: int, rng: random.Random) -> None:
    changed[start : start + 1] = bytes(
        b ^ 1 << rng.randrange(8) for b in changed[start : start + 1]
    )


def _cut(changed: bytearray, start: int, end: int, rng: random.Random) -> None:
    del changed[start : end if rng.random() < 0.9 else len(changed)]


def _insert(changed: bytearray, start: int, end: int, rng: random.Random) -> None:
    changed[start:start] = rng.randbytes(end - start)


def _duplicate(changed: bytearray, start: int, end: int, rng: random.Random) -> None:
    changed[start:start] = changed[start:end]


def _copy(changed: bytearray, start: int, end: int, rng: random.Random) -> None:
    other = rng.randrange(len(changed) + 1)
    changed[other : other + end - start] = changed[start:end]


def _splice(changed: bytearray, start: int, end: int, rng: random.Random) -> None:
    size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    changed[start : start + size] = (rng.choice(INTEGERS) % 256**size).to_bytes(size, order)


def _fill(changed: bytearray, start: int, end: int, rng: random.Random) -> None:
    changed[start:end] = rng.choice((b"\0", b"\n", b'"', b"0", b"[", b"{", b"\xff")) * (end - start)


_CHANGES = (_flip, _cut, _insert, _duplicate, _copy, _splice, _fill)


def mutate_png(content: bytes, rng: random.Random) -> bytes:
    """As `mutate_bytes`, with the checksum of every chunk made right: else none is looked into."""
    changed = bytearray(mutate_bytes(content, rng))
    start = len(_PNG_SIGNATURE)
    changed[:start] = _PNG_SIGNATURE
    while start + 12 <= len(changed):
        end = start + 8 + int.from_bytes(changed[start : start + 4], "big")
        changed[end : end + 4] = zlib.crc32(changed[start + 4 : end]).to_bytes(4, "big")
        start = end + 4
    return bytes(changed)


_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def mutate_json(content: bytes, rng: random.Random) -> bytes:
    """Change the kind of a value, remove, double or rename a key, move a part elsewhere, nest."""
    value = json.loads(content)
    try:
        for _ in range(rng.randint(1, 3)):
            value = _mutate_value(value, rng)
        return json.dumps(value).encode(errors="surrogatepass")
    except RecursionError:  # deeper than Python writes
        return b"[" * 1000 + content + b"]" * 1000


def _mutate_value(value: Any, rng: random.Random) -> Any:
    places = _places(value) if isinstance(value, dict | list) else []
    if not places or rng.random() < 0.02:
        return _nested(value, rng)
    holder, key = rng.choice(places)
    match rng.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(("", "x", "../x", "\ud800", f"{key}x"))] = holder.pop(key)
        case 2 if isinstance(holder, list):
            holder.insert(0, holder[key])
        case 3:
            other, elsewhere = rng.choice(places)
            if _has(other, elsewhere):
                holder[key] = json.loads(json.dumps(other[elsewhere]))
        case 4:
            holder[key] = _nested(holder[key], rng)
        case _:
            holder[key] = deepcopy(rng.choice(VALUES))
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every holder below a value, with each of its keys; not by recursion, slow where deep."""
    found, left = [], [value]
    while left:
        holder = left.pop()
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                left.append(holder[key])
    return found


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def _nested(value: Any, rng: random.Random) -> Any:
    for _ in range(rng.choice((1, 10, 300))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def mutate_lines(content: bytes, rng: random.Random) -> bytes:
    """Of TOML, CSV or a journal: remove, double or swap lines, and replace words between marks."""
    lines = content.decode().splitlines(keepends=True)
    for _ in range(rng.randint(1, 3)):
        if not lines:
            break
        here, there = rng.randrange(len(lines)), rng.randrange(len(lines))
        match rng.randrange(6):
            case 0:
                del lines[here]
            case 1:
                lines.insert(there, lines[here])
            case 2:
                lines[here], lines[there] = lines[there], lines[here]
            case 3:
                lines.insert(here, f"{rng.choice(WORDS)} = {rng.choice(WORDS)}\n")
            case _:
                words = re.split(r"([,=:\[\]{}\n])", lines[here])
                words[2 * rng.randrange((len(words) + 1) // 2)] = rng.choice(WORDS)
                lines[here] = "".join(words)
    return "".join(lines).encode()


def mutate_head(length: int) -> Mutation:
    """As `mutate_bytes`, but only so many first bytes: what follows is mere numbers."""
    return lambda content, rng: mutate_bytes(content[:length], rng) + content[length:]


def any_of(*mutations: Mutation) -> Mutation:
    """A mutation of one of these kinds."""
    return lambda content, rng: rng.choice(mutations)(content, rng)
