"""The TOML form of a scenario, checked key by key.

Every error says which file, which key, what is wrong and what to write
instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .. import vgic
from ..bounds import MOST_PARTS, beyond, long_key
from ..errors import ScenarioError, meant
from ..findings.rules import known, rules
from ..vgic.language import MAX_PCPU
from ..vgic.state import (
    ESPI_BASE_INTID,
    FIRST_PIRQ,
    LAST_PIRQ,
    MAX_SPIS,
    NR_ESPI_IRQS,
    NR_LOCAL_IRQS,
    NR_LRS,
    IrqType,
)
from .userfile import MAX_BYTES

SCHEMA = 1
MAX_VCPUS, MAX_THREADS, MAX_OPERATIONS, MAX_WEIGHT = 8, 16, 64, 1000
STATES = ("creating", "running", "dying")
PENDING_ON = ("lr_pending", "lr", "inflight")
_KEYS = (
    *("schema", "title", "source", "settles", "tags"),
    *("domain", "threads", "hammer", "history", "expect"),
)
_DOMAIN_KEYS = (
    *("vcpus", "spis", "espis", "state", "hardware", "down", "blocked"),
    *("routed", "targets", "enabled", "reserved", "pending", "lines"),
)

Rules = dict[str, tuple[str, ...]]
T = TypeVar("T")


def _list(names: Iterable[object]) -> str:
    return ", ".join(str(n) for n in names)


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


_EXAMPLES = {
    "threads": 'toolstack = ["route virq=40 pirq=64"].',
    "expect": '"*" = [], if no rule may break under any protocol.',
}


class Loader:
    """The values of one file; every fault in them is a ScenarioError."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self.path, self.data = path, data

    def parse(self, text: str) -> None:
        """Take the values from the TOML ``text``."""
        if len(text) > MAX_BYTES:
            raise self.error("", "larger than 1 MiB", "A scenario is a page of text.")
        if long_key(text):
            raise self.error("", f"a key of more than {MOST_PARTS} parts", "A scenario has two levels.")
        # Imported only here: a child gets its scenario pickled and reads no TOML.
        import tomllib

        try:
            self.data = tomllib.loads(text)
        except ValueError as error:
            raise self.error("", f"not TOML: {_plain(str(error))}", "Mend the syntax.") from error
        except RecursionError as error:
            raise self.error("", "nested too deeply", "A scenario has two levels.") from error
        too_much = beyond(self.data)
        if too_much:
            raise self.error("", too_much, "A scenario has two levels and small numbers.")
        self.check_schema()
        self.only(self.data, _KEYS, "")

    def about(self, key: Callable[[str], str] = str) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
        """Title, source, the claims that it settles, tags; ``key`` gives the key of each."""
        texts = (
            self.string(self.data, key("title"), "", required=True),
            self.string(self.data, key("source"), ""),
        )
        settles, tags = (
            tuple(self.strings(self.data.get(key(name), []), key(name))) for name in ("settles", "tags")
        )
        return *texts, settles, tags

    def error(self, place: str, what: str, remedy: str) -> ScenarioError:
        return ScenarioError(str(self.path), place, what, remedy)

    def check_schema(self) -> None:
        if "schema" not in self.data:
            raise self.error("schema", "missing", f"Write schema = {SCHEMA} at the top.")
        schema = self.kind(self.data["schema"], int, "schema", "a schema number", f"Write schema = {SCHEMA}.")
        if schema < 1:
            raise self.error("schema", f"{schema} is not a schema number", f"Write schema = {SCHEMA}.")
        if schema > SCHEMA:
            raise self.error("schema", f"{schema} is newer than {SCHEMA}", "Upgrade RaceBench.")

    def kind(self, value: Any, cls: type[T], place: str, what: str, remedy: str) -> T:
        """``value``, of class ``cls``, which is ``what`` in words."""
        if not isinstance(value, cls) or (isinstance(value, bool) and cls is not bool):
            raise self.error(place, f"{_shown(value)} is not {what}", remedy)
        return value

    def choice(self, value: Any, known: Sequence[str], place: str, what: str) -> str:
        if value not in known:
            hint = meant(str(value), known, f"Choose one of {_list(known)}.")
            raise self.error(place, f"{_shown(value)} is no {what}", hint)
        return str(value)

    def once(self, values: Sequence[Any], place: str, what: str) -> None:
        if len(set(values)) < len(values):
            raise self.error(place, what, "Name each once.")

    def only(self, table: Mapping[str, Any], known: Sequence[str], place: str) -> None:
        for key in table:
            if key not in known:
                where = f"{place}.{key}" if place else key
                raise self.error(
                    _plain(where), "unknown key", meant(key, known, f"Known here: {_list(known)}.")
                )

    def table(self, key: str, required: bool = False) -> dict[str, Any]:
        value = self.data.get(key)
        if value is None:
            if required:
                raise self.error(key, "missing", f"Add a [{key}] table, for example: {_EXAMPLES[key]}")
            return {}
        return self.kind(value, dict, key, "a table", f"Write [{key}].")

    def string(self, table: Mapping[str, Any], key: str, place: str, required: bool = False) -> str:
        where = f"{place}.{key}" if place else key
        value = table.get(key)
        if value is None and not required:
            return ""
        if value is None:
            raise self.error(where, "missing", f'Write {key} = "...".')
        if not isinstance(value, str) or (required and not value.strip()):
            raise self.error(where, f"{_shown(value)} is not a text", f'Write {key} = "...".')
        return self.clean(value, where)

    def clean(self, value: str, where: str) -> str:
        if any(ord(c) < 32 or ord(c) == 127 for c in value):
            raise self.error(_plain(where), f"{_shown(value)} has control characters", "Take them out.")
        return value

    def strings(self, value: Any, where: str) -> list[str]:
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise self.error(where, f"{_shown(value)} is not a list of texts", 'Write ["a", "b"].')
        return [self.clean(v, where) for v in value]

    def number(self, table: Mapping[str, Any], key: str, place: str, low: int, high: int) -> int:
        where, remedy = f"{place}.{key}", f"Choose one of {low}..{high}."
        value = self.kind(table.get(key), int, where, "a whole number", remedy)
        if not low <= value <= high:
            raise self.error(where, f"{value} is outside {low}..{high}", remedy)
        return value

    def initial(self) -> vgic.Initial:
        domain = {"vcpus": 2, "spis": 64, "espis": 0, "state": "running", **self.table("domain")}
        self.only(domain, _DOMAIN_KEYS, "domain")
        vcpus = self.number(domain, "vcpus", "domain", 1, MAX_VCPUS)
        spis = self.number(domain, "spis", "domain", 1, MAX_SPIS)
        state = self.choice(domain["state"], STATES, "domain.state", "state")
        espis = self.number(domain, "espis", "domain", 0, NR_ESPI_IRQS)
        # The numbers in the other keys are checked against these limits.
        bare = vgic.Initial(vcpus, spis, state, espis=espis)
        routed = self.routed(domain.get("routed", []), bare)
        last = NR_LOCAL_IRQS + spis - 1
        enabled = self.numbers(domain, "enabled", NR_LOCAL_IRQS, last)
        both = [virq for virq, _, _ in routed if virq in enabled]
        if both:
            what = f"virq {both[0]} is routed"
            raise self.error("domain.enabled", what, "Write enabled = true beside its pirq.")
        return bare._replace(
            routed=routed,
            enabled=enabled,
            down=self.numbers(domain, "down", 0, vcpus - 1),
            blocked=self.numbers(domain, "blocked", 0, vcpus - 1),
            targets=self.targets(domain.get("targets", []), bare),
            reserved=self.reserved(domain, bare),
            lines=self.lines(domain.get("lines", [])),
            hardware_domain=self.flag(domain, "hardware", "domain"),
            **self.pending(domain.get("pending", []), bare),
        )

    def flag(self, table: Mapping[str, Any], key: str, place: str) -> bool:
        where = f"{place}.{key}" if place else key
        return self.kind(table.get(key, False), bool, where, "true or false", "Write true or false.")

    def reserved(self, domain: Mapping[str, Any], bare: vgic.Initial) -> tuple[int, ...]:
        virqs = self.numbers(domain, "reserved", NR_LOCAL_IRQS, ESPI_BASE_INTID + NR_ESPI_IRQS - 1)
        for virq in virqs:
            self.virq({"virq": virq}, "domain.reserved", bare, set())
        return virqs

    def targets(self, value: Any, bare: vgic.Initial) -> tuple[tuple[int, int], ...]:
        seen = set[int]()
        return tuple(
            (self.virq(row, where, bare, seen), self.number(row, "vcpu", where, 0, bare.vcpus - 1))
            for where, row in self.entries(value, "domain.targets", ("virq", "vcpu"))
        )

    def lines(self, value: Any) -> tuple[vgic.LineAtStart, ...]:
        made = []
        types = {kind.value: kind for kind in IrqType}
        known = ("pirq", "type", "affinity", "active", "latched")
        for where, row in self.entries(value, "domain.lines", known):
            pirq = self.pirq(row, where)
            kind = self.choice(
                row.get("type", IrqType.LEVEL_HIGH.value), list(types), f"{where}.type", "type"
            )
            affinity = self.number(row, "affinity", where, 0, MAX_PCPU) if "affinity" in row else None
            active, latched = self.flag(row, "active", where), self.flag(row, "latched", where)
            made.append(vgic.LineAtStart(pirq, types[kind], affinity, active, latched))
        self.once([line.pirq for line in made], "domain.lines", "a pirq is named twice")
        return tuple(made)

    def numbers(self, table: Mapping[str, Any], key: str, low: int, high: int) -> tuple[int, ...]:
        """A list of different numbers of ``low`` to ``high``; empty if the key is missing."""
        place = f"domain.{key}"
        value = self.kind(table.get(key, []), list, place, "a list of numbers", f"Write {key} = [{low}].")
        made = tuple(self.number({key: number}, key, "domain", low, high) for number in value)
        self.once(made, place, "a number is there twice")
        return made

    def entries(self, value: Any, place: str, known: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.error(place, f"{_shown(value)} is not a list of tables", "Write [{ virq = 41, ... }].")
        rows = [(f"{place}[{i}]", row) for i, row in enumerate(value)]
        for where, row in rows:
            self.only(row, known, where)
        return rows

    def virq(self, row: Mapping[str, Any], where: str, bare: vgic.Initial, seen: set[int]) -> int:
        last = NR_LOCAL_IRQS + bare.spis - 1
        virq = self.kind(row.get("virq"), int, f"{where}.virq", "a whole number", "Write virq = 41.")
        if not bare.is_virq(virq):
            what = f"virq {virq} is outside {NR_LOCAL_IRQS}..{last} (domain.spis = {bare.spis})"
            raise self.error(where, what, "Raise spis or choose a lower virq.")
        if virq in seen:
            raise self.error(where, f"virq {virq} is named twice", "Name each once.")
        seen.add(virq)
        return virq

    def routed(self, value: Any, bare: vgic.Initial) -> tuple[tuple[int, int, bool], ...]:
        made, virqs, pirqs = [], set[int](), set[int]()
        for where, row in self.entries(value, "domain.routed", ("virq", "pirq", "enabled")):
            virq = self.virq(row, where, bare, virqs)
            pirq = self.pirq(row, where)
            if pirq in pirqs:
                raise self.error(where, f"pirq {pirq} is named twice", "A pIRQ goes to one vIRQ.")
            pirqs.add(pirq)
            made.append((virq, pirq, self.flag(row, "enabled", where)))
        return tuple(made)

    def pirq(self, row: Mapping[str, Any], where: str) -> int:
        pirq = row.get("pirq")
        extended = isinstance(pirq, int) and pirq >= ESPI_BASE_INTID
        last = ESPI_BASE_INTID + NR_ESPI_IRQS - 1 if extended else LAST_PIRQ
        return self.number(row, "pirq", where, ESPI_BASE_INTID if extended else FIRST_PIRQ, last)

    def pending(self, value: Any, bare: vgic.Initial) -> dict[str, Any]:
        """The fields of Initial for pending vIRQs, and where they are queued."""
        made, elsewhere = [], []
        flags: dict[str, list[int]] = {"active": [], "migrating": []}
        virqs = set[int]()
        known = ("virq", "on", "vcpu", "active", "migrating")
        for where, row in self.entries(value, "domain.pending", known):
            virq = self.virq(row, where, bare, virqs)
            on = self.choice(row.get("on"), PENDING_ON, f"{where}.on", "queue")
            made.append((virq, on))
            if "vcpu" in row:
                elsewhere.append((virq, self.number(row, "vcpu", where, 0, bare.vcpus - 1)))
            for key, virqs_so in flags.items():
                if self.flag(row, key, where):
                    if on != "lr":
                        raise self.error(f"{where}.{key}", "it is in no LR", 'Write on = "lr".')
                    virqs_so.append(virq)
        if sum(on == "lr" for _, on in made) > NR_LRS:
            raise self.error("domain.pending", f"more than {NR_LRS} in an LR", "Put the rest on lr_pending.")
        every: dict[str, list[Any]] = {"pending": made, "elsewhere": elsewhere, **flags}
        return {key: tuple(values) for key, values in every.items()}

    def threads(self, initial: vgic.Initial) -> dict[str, tuple[vgic.Operation, ...]]:
        table = self.table("threads", required=True)
        threads = {}
        for name, place, value in self.named_threads(table, "threads", 'vcpu0 = ["isenabler virq=40"]'):
            texts = self.strings(value, place)
            if not texts:
                raise self.error(place, "no operation", 'Write ["isenabler virq=40"].')
            if len(texts) > MAX_OPERATIONS:
                raise self.error(place, f"{len(texts)} operations", f"Write {MAX_OPERATIONS} at most.")
            threads[name] = tuple(
                vgic.parse_operation(text, str(self.path), f"{place}[{i}]", initial)
                for i, text in enumerate(texts)
            )
        wrong = vgic.played_twice(threads) or vgic.placed_twice(threads)
        if wrong is not None:
            raise self.error("threads", *wrong)
        return threads

    def named_threads(self, table: Mapping[str, Any], place: str, example: str) -> list[tuple[str, str, Any]]:
        """Name, place and value of each thread in ``table``."""
        if not table:
            raise self.error(place, "no thread", f"Write {example}.")
        if len(table) > MAX_THREADS:
            raise self.error(place, f"{len(table)} threads", f"Write {MAX_THREADS} at most.")
        rows = []
        for name, value in table.items():
            where = _plain(f"{place}.{name}")
            if not name.strip():
                raise self.error(where, "a thread without a name", f"Write {example}.")
            self.clean(name, where)
            rows.append((name, where, value))
        return rows

    def mix(self, initial: vgic.Initial) -> vgic.Mix | None:
        """The [hammer] table: operations with weights, from which threads draw."""
        if "hammer" not in self.data:
            return None
        if "threads" in self.data:
            raise self.error("hammer", "there is [threads] as well", "Write one of the two.")
        table = {"operations": 4, "threads": {}, **self.table("hammer")}
        self.only(table, ("operations", "threads"), "hammer")
        operations = self.number(table, "operations", "hammer", 1, MAX_OPERATIONS)
        example = '[hammer.threads.vcpu0] with "isenabler virq=40" = 2'
        named = self.kind(table["threads"], dict, "hammer.threads", "a table", f"Write {example}.")
        threads = {}
        for name, place, value in self.named_threads(named, "hammer.threads", example):
            if not isinstance(value, dict) or not value:
                what = f"{_shown(value)} is not a table of operations with weights"
                raise self.error(place, what, f"Write {example}.")
            if len(value) > MAX_OPERATIONS:
                raise self.error(place, f"{len(value)} operations", f"Write {MAX_OPERATIONS} at most.")
            threads[name] = tuple(
                (
                    vgic.parse_operation(self.clean(text, place), str(self.path), place, initial),
                    self.number(value, text, place, 1, MAX_WEIGHT),
                )
                for text in value
            )
        return vgic.Mix(operations, threads)

    def history(self) -> bool:
        return self.flag(self.data, "history", "")

    def expectations(self) -> tuple[Rules, Rules]:
        table = dict(self.table("expect", required=True))
        remedy = 'Write allow.baseline = ["..."].'
        allow = self.kind(table.pop("allow", {}), dict, "expect.allow", "a table", remedy)
        if not table:
            raise self.error("expect", "no protocol", 'Write "*" = [] if none breaks a rule.')
        return self.rules(table, "expect"), self.rules(allow, "expect.allow")

    def rules(self, table: Mapping[str, Any], place: str) -> Rules:
        made = {}
        for key, value in table.items():
            protocol = key.replace("-", "_")
            if protocol != "*" and protocol not in vgic.protocol_ids():
                hint = meant(protocol, vgic.protocol_ids(), f"Known: {_list(vgic.protocol_ids())}.")
                raise self.error(_plain(f"{place}.{key}"), "unknown protocol", hint)
            if protocol in made:
                raise self.error(_plain(f"{place}.{key}"), "named twice", "Name each protocol once.")
            for rule in self.strings(value, f"{place}.{key}"):
                if known(rule) is None:
                    hint = meant(rule, list(rules()), "See `racebench list rules`.")
                    raise self.error(f"{place}.{key}", f"unknown rule {_shown(rule)}", hint)
            made[protocol] = tuple(value)
        return made
