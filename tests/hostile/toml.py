"""Scenario files with tokens, keys and lines that are wrong, each in its own way."""

from __future__ import annotations

import random
import re

from .values import NAMES

_TOKEN = re.compile(r'"[^"\n]*"|\[[^\]\n]*\]|(?<![\w"])-?\d+|\btrue\b|\bfalse\b')
_OPERATION = re.compile(r'"([a-z_]+(?: [a-z]+=[^"]*)?)"')

_LITERALS = (
    "true", "0", "-1", "1e999", "nan", "-inf", "0x" + "f" * 40, "0x" + "f" * 5000, "9" * 400, "9" * 5000,
    "1_000", "0b1", "1.0", "1e308", "1979-05-27", "07:32:00", "1979-05-27T00:32:00Z", '""', "''", "'\t'",
    '"""\n\n"""', "'''\n'''", '"\\u0000"', '"\\u001b[2J"', '"\\n"', '"\\u202e"', '"\\ud800"', "[]", "{}",
    "[[]]", "[{}]", "[1, 'a']", "{ virq = 41 }", "[{ virq = 41 }]", '["route"]',
    '[["route virq=40 pirq=64"]]',
    "[" * 500 + "]" * 500, "[" * 10_000, "{ a = " * 300 + "1" + " }" * 300, "", "=", "#",
    "[0x" + "f" * 5000 + "]",
    '"' + "x" * 100_000 + '"', '["' + "x" * 100_000 + '"]', "[" + "0," * 50_000 + "]",
    "{ " + ".".join("a" * 1500) + " = 1 }",
)  # fmt: skip
_WORDS = (
    "", "route", "route virq", "route virq=", "route virq=40", "route virq=40 pirq=64 pirq=64", "rm -rf /",
    "route virq=-1 pirq=64", "route virq=0x28 pirq=64", "route virq=999999999 pirq=64",
    "route virq=40 pirq=64 x=1",
    "isenabler virq=[]", "isenabler virq=[40,40]", "isenabler virq=[32,95]",
    "isenabler virq=[40", "eoi virq=\u0664",
    "itargetsr virq=40 vcpu=9", "move vcpu=0 pcpu=99", "route virq=40 pirq=64 dom=3",
    "destroy now", "kill " * 2000,
    "isenabler virq=[" + "40," * 5000 + "40]", "\\u001b[31mroute virq=40 pirq=64",
    "route\\u0000virq=40", "__import__",
    "irq pirq=1", "late_irq pirq=64", "unpause", "kill", "destroy", "cpu_on vcpu=1", "restore vcpu=0",
)  # fmt: skip
_LINES = (
    "schema = 2", "schema = 1", "schema = 1e400", 'title = "again"', "[threads]", "[expect]", "[domain]",
    "[[threads]]", "[a]", "[hammer]", "[hammer.threads.x]", "history = true", "history = 1", "x = 1",
    "a.b.c = 1", ".".join("a" * 3000) + " = 1", "[" + ".".join("b" * 3000) + "]", "k" * 70_000 + " = 1",
    "title." + ".".join("c" * 1200) + " = 1", '"\\u001b[2J" = 1', '"" = 1', '"a\\nb" = ["unpause"]',
    "allow.baseline = 5", 'allow = "x"', "allow.nobody = []", 'nobody = ["deadlock.cycle"]',
    '"*" = ["no.such.rule"]', "vcpus = 99", "spis = 100000", 'state = "dead"', "routed = 5",
    "routed = [{ virq = 41, pirq = 70 }, { virq = 41, pirq = 70 }]", 'pending = [{ virq = 41, on = "lr" }]',
    "enabled = [40, 40]", "down = [0, 1]", "import os", "\x00", "\ufeff", "=", "]", '"', "'''", '"""',
)  # fmt: skip


def spoilt(rng: random.Random, text: str, times: int) -> str:
    """``text``, a scenario, with ``times`` places spoilt."""
    for _ in range(times):
        how = rng.choices((_token, _operation, _line, _thread, _many), (6, 4, 4, 2, 0.5))[0]
        text = how(rng, text)
    return text


def _token(rng: random.Random, text: str) -> str:
    found = list(_TOKEN.finditer(text))
    if not found:
        return text
    one = rng.choice(found)
    other = rng.choice(found)[0] if rng.random() < 0.2 else rng.choice(_LITERALS)
    return text[: one.start()] + other + text[one.end() :]


def _operation(rng: random.Random, text: str) -> str:
    found = list(_OPERATION.finditer(text))
    if not found:
        return text
    one = rng.choice(found)
    return text[: one.start(1)] + rng.choice(_WORDS) + text[one.end(1) :]


def _line(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    what = rng.choice(("insert", "insert", "delete", "double", "swap", "indent"))
    if what == "insert":
        lines.insert(at, rng.choice(_LINES))
    elif what == "delete":
        del lines[at]
    elif what == "double":
        lines.insert(at, lines[at])
    elif what == "swap":
        other = rng.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = "\t\x0b" + lines[at]
    return "\n".join(lines)


def _thread(rng: random.Random, text: str) -> str:
    """A thread, or a protocol, of another name."""
    found = list(re.finditer(r"(?m)^([\w\"*.]+) = \[", text))
    if not found:
        return text
    one = rng.choice(found)
    name = "".join(
        f"\\u{ord(c):04x}" if ord(c) < 32 or c in '"\\' or 0xD800 <= ord(c) < 0xE000 else c
        for c in rng.choice(NAMES)
    )
    return text[: one.start(1)] + f'"{name}"' + text[one.end(1) :]


def _many(rng: random.Random, text: str) -> str:
    """Too much of one thing."""
    made = rng.choice(
        (
            "\n".join(f't{i} = ["unpause"]' for i in range(200)),
            "long = [" + '"unpause",' * 500 + "]",
            "\n".join(f"[t{i}]" for i in range(3000)),
            "# " + "c" * 1_100_000,
        )
    )
    return text.replace("[threads]", f"[threads]\n{made}", 1)
