"""Scenarios: what runs, and what is expected of it under each protocol.

A scenario is a TOML file (``toml.py``) or a Python file that defines
Programs.  Loading a TOML file never runs code; a Python scenario is run
because it, or its folder, was named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from .. import vgic
from ..errors import ScenarioError, described
from ..findings import Finding
from ..program import Program
from .toml import Loader
from .userfile import read_text, run_file

SUFFIXES = (".toml", ".py")


class Scenario(NamedTuple):
    """One scenario.

    ``expect`` and ``allow`` map a protocol (or variant, or ``*``: every one not
    named) to rules.  ``text`` is the TOML file as it stands, empty for Python.
    With a ``mix`` its threads draw their operations, and there is nothing to verify; with
    ``history`` the return codes are compared with those of the serial orders.
    """

    name: str
    path: Path
    title: str
    source: str
    settles: tuple[str, ...]
    tags: tuple[str, ...]
    comment: str
    expect: Mapping[str, tuple[str, ...]]
    allow: Mapping[str, tuple[str, ...]]
    initial: vgic.Initial | None = None
    threads: Mapping[str, tuple[vgic.Operation, ...]] = {}
    variants: Mapping[str, Program] = {}
    mix: vgic.Mix | None = None
    history: bool = False
    text: str = ""

    def protocols(self) -> list[str]:
        """The protocols, or variants, for which this scenario has an expectation."""
        if self.variants:
            return list(self.variants)
        if "*" in self.expect:
            return [p for p in vgic.protocol_ids() if self.exists_under(vgic.protocol(p))]
        return [p for p in vgic.protocol_ids() if p in self.expect]

    def operations(self) -> Mapping[str, Sequence[vgic.Operation]]:
        """The operations of each thread, or those from which it draws."""
        return self.threads if self.mix is None else self.mix.named()

    def words(self) -> set[str]:
        """The names of its threads' operations."""
        return {op.name for ops in self.operations().values() for op in ops}

    def absent(self, protocol: type[vgic.Protocol]) -> set[str]:
        """The operations of its threads that the tree of ``protocol`` does not have."""
        return self.words() & protocol.ABSENT

    def exists_under(self, code: str | type[vgic.Protocol]) -> bool:
        """Whether the tree of a protocol has all operations of its threads; always true for a variant."""
        return isinstance(code, str) or not self.absent(code)

    def expected(self, protocol: str) -> tuple[str, ...]:
        """Rules that verify must find; none for a protocol that no entry covers."""
        return self.expect.get(protocol, self.expect.get("*", ()))

    def allowed(self, protocol: str) -> tuple[str, ...]:
        """Rules that may be found in addition."""
        return self.allow.get(protocol, self.allow.get("*", ()))

    def program(self, protocol: str | type[vgic.Protocol]) -> Program:
        """The program of this scenario under ``protocol``: an id, a class, or a variant."""
        if self.initial is None:
            program = self.variants.get(str(protocol))
            if program is None:
                raise ScenarioError(
                    str(self.path),
                    "variants",
                    f"no variant {protocol!r}",
                    f"Its variants take the place of protocols: {', '.join(self.variants)}.",
                )
            return program
        code = vgic.protocol(protocol) if isinstance(protocol, str) else protocol
        if self.mix is not None:
            return vgic.build_hammer(self.name, self.initial, self.mix, code)
        return vgic.build_program(self.name, self.initial, self.threads, code, self.history)

    def callers(self, protocol: str | type[vgic.Protocol], finding: Finding) -> dict[str, Any]:
        """Whether real callers can run the threads of ``finding`` at once, and why; empty if unknown."""
        if self.initial is None or not self.threads:
            return {}
        needs = finding.evidence.get("needs")
        needed: Mapping[str, Any] = needs if isinstance(needs, Mapping) else dict.fromkeys(self.threads)
        threads = {
            name: [op for op in ops if not needed[name] or str(op) in needed[name]]
            for name, ops in self.threads.items()
            if name in needed
        }
        # Threads that wait for each other (or are predicted to) overlap, whatever the schedule shows.
        overlaps = finding.rule.startswith(("deadlock.", "lock_order."))
        steps = [] if overlaps else [thread for thread, _, _ in finding.schedule]

        def apart(one: str, other: str) -> bool:
            """Whether ``one`` made its last step before the first of ``other``, or the other way round."""
            turns = [thread for thread in steps if thread in (one, other)]
            return sum(a != b for a, b in pairwise(turns)) <= 1 and bool(turns)

        code = vgic.protocol(protocol) if isinstance(protocol, str) else protocol
        reached = vgic.reach(self.initial, threads, code.TREE, apart)
        return {"reachable": reached.reachable, "why": list(reached.why)}


def load_scenario(path: Path, *, checked: bool = False) -> Scenario:
    """Load the scenario in ``path``; ScenarioError names file, key, value and remedy.

    ``checked`` is as for ``scenario_from_text``.
    """
    text = read_text(path)
    if path.suffix == ".py":
        return _load_python(path, text)
    return scenario_from_text(path, text, checked=checked)


def scenario_from_text(path: Path, text: str, *, checked: bool = False) -> Scenario:
    """Load the TOML scenario ``text``; errors name ``path``.  Runs no code.

    ``checked``: it is known to fit all the protocols that it names.  To check that loads each of
    them and builds their machines.
    """
    loaded = Loader(path, {})
    loaded.parse(text)
    about = loaded.about()
    initial = loaded.initial()
    expect, allow = loaded.expectations()
    mix = loaded.mix(initial)
    scenario = Scenario(
        path.stem,
        path,
        *about,
        leading_comment(text),
        expect,
        allow,
        initial,
        {} if mix is not None else loaded.threads(initial),
        mix=mix,
        history=loaded.history(),
        text=text,
    )
    if not checked:
        _check_protocols(scenario, initial, loaded)
    return scenario


def _check_protocols(scenario: Scenario, initial: vgic.Initial, loaded: Loader) -> None:
    """ScenarioError if a protocol that is named has not all operations, or breaks a rule before any thread
    starts: none of them would be to blame.

    Protocols with the same structures begin alike.
    """
    for protocol in [*scenario.expect, *scenario.allow]:
        absent = set() if protocol == "*" else scenario.absent(vgic.protocol(protocol))
        if absent:
            what = f"{min(absent)} does not exist under {protocol}"
            raise loaded.error(f"expect.{protocol}", what, f"Leave {protocol} out.")
    codes = map(vgic.protocol, scenario.protocols())
    for code in {code.domain_type: code for code in codes}.values():
        broken = vgic.broken_at_start(initial, scenario.operations(), code)
        if broken is not None:
            what = f"{broken.rule} is broken under {code.ID} before any thread starts: {broken.message}"
            raise loaded.error("domain", what, "Mend what it says of that vIRQ or pIRQ.")


def leading_comment(text: str) -> str:
    """The comment block at the top of a file, without its marks."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").strip())
    return "\n".join(lines)


def _load_python(path: Path, text: str) -> Scenario:
    """Load a Python scenario: run the file, and read the names that it defines."""
    names = _Names(path, run_file(path, text))
    variants = names.variants()
    return Scenario(
        path.stem,
        path,
        *names.about(str.upper),
        str(names.data.get("__doc__") or leading_comment(text)),
        names.expect(variants),
        {},
        variants=variants,
    )


class _Names(Loader):
    """The names that a Python scenario file defines, checked as the keys of a TOML file are."""

    def variants(self) -> dict[str, Program]:
        make = self.data.get("variants")
        if not callable(make):
            raise self.error("variants", "missing", "Define variants() -> dict[str, Program].")
        try:
            made = make()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self.error("variants", f"raised {described(error)}", "Mend variants().") from error
        if not isinstance(made, dict) or not made:
            what = "did not return a dict of Programs"
            raise self.error("variants", what, 'Return {"before": Program(...)}.')
        for key, value in made.items():
            if not isinstance(key, str) or not isinstance(value, Program):
                raise self.error(f"variants[{key!r}]", "is not a Program", "Return dict[str, Program].")
        return made

    def expect(self, variants: Mapping[str, Program]) -> dict[str, tuple[str, ...]]:
        """Read EXPECT; a scenario may have rules of its own, so any rule name is accepted."""
        value = self.data.get("EXPECT")
        if not isinstance(value, dict):
            remedy = 'Write EXPECT = {"before": ["..."], "after": []}.'
            raise self.error("EXPECT", "missing or not a dict", remedy)
        for key in value:
            if key != "*" and key not in variants:
                raise self.error(f"EXPECT[{key!r}]", "no such variant", f"Variants: {', '.join(variants)}.")
        return {key: tuple(self.strings(rules, f"EXPECT[{key!r}]")) for key, rules in value.items()}
