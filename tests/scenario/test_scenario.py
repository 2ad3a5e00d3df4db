"""Scenario files: what loads, and what each mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

import racebench as rb
from racebench import cli, vgic
from racebench.errors import ScenarioError
from racebench.findings.rules import rules
from racebench.scenario.scenario import Scenario, load_scenario
from racebench.scenario.selection import bundled
from racebench.vgic.state import IrqType

GOOD = """\
# Two routes meet.
#
# And more of it.
schema = 1
title = "Two routes"
source = "gic.c"
settles = ["K1"]
tags = ["thread"]

[domain]
vcpus = 3
spis = 64
state = "creating"
routed = [{ virq = 41, pirq = 70, enabled = true }]
pending = [{ virq = 41, on = "lr_pending" }]

[threads]
toolstack0 = ["route virq=40 pirq=64", "release virq=40"]
vcpu0 = ["isenabler virq=[40,41]"]

[expect]
"*" = []
no_rank_lock = ["mapping.corrupted"]
allow."*" = ["irq.lost_eoi"]
allow.baseline = ["deadlock.cycle"]
"""


def toml(tmp_path: Path, text: str, name: str = "case.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_a_whole_scenario_loads(tmp_path: Path) -> None:
    s = load_scenario(toml(tmp_path, GOOD))
    assert (s.name, s.title, s.source) == ("case", "Two routes", "gic.c")
    assert (s.settles, s.tags) == (("K1",), ("thread",))
    assert s.comment == "Two routes meet.\n\nAnd more of it."
    assert s.initial == vgic.Initial(3, 64, "creating", ((41, 70, True),), ((41, "lr_pending"),))
    assert [str(op) for op in s.threads["toolstack0"]] == ["route virq=40 pirq=64", "release virq=40"]
    assert s.text == GOOD


def test_star_covers_the_protocols_that_are_not_named(tmp_path: Path) -> None:
    s = load_scenario(toml(tmp_path, GOOD))
    assert s.protocols() == list(vgic.protocol_ids())
    assert s.expected("no_rank_lock") == ("mapping.corrupted",)
    assert s.expected("baseline") == ()
    assert s.expected("Mine") == ()
    assert s.allowed("baseline") == ("deadlock.cycle",)
    assert s.allowed("no_rank_lock") == ("irq.lost_eoi",)


def test_without_star_a_scenario_concerns_whom_it_names(tmp_path: Path) -> None:
    s = load_scenario(toml(tmp_path, changed('"*" = []\n', "")))
    assert s.protocols() == ["no_rank_lock"]
    assert s.expected("Mine") == ()


def test_every_word_of_the_initial_state(tmp_path: Path) -> None:
    domain = """\
vcpus = 3
spis = 64
espis = 32
state = "dying"
hardware = true
down = [2]
blocked = [0]
targets = [{ virq = 41, vcpu = 1 }]
reserved = [41, 4096]
lines = [{ pirq = 70, type = "edge", affinity = 2, active = true, latched = true }, { pirq = 4100 }]
routed = [{ virq = 41, pirq = 70, enabled = true }]
pending = [{ virq = 41, on = "lr", vcpu = 1, active = true, migrating = true }]
"""
    start, end = GOOD.index("vcpus = 3"), GOOD.index("\n[threads]")
    s = load_scenario(toml(tmp_path, GOOD[:start] + domain + GOOD[end:]))
    edge = vgic.LineAtStart(70, IrqType.EDGE_RISING, 2, True, True)
    assert s.initial == vgic.Initial(
        3, 64, "dying", ((41, 70, True),), ((41, "lr"),), down=(2,), targets=((41, 1),),
        elsewhere=((41, 1),), active=(41,), migrating=(41,), lines=(edge, vgic.LineAtStart(4100)),
        reserved=(41, 4096), blocked=(0,), hardware_domain=True, espis=32,
    )  # fmt: skip


def test_its_program_runs(tmp_path: Path) -> None:
    program = load_scenario(toml(tmp_path, GOOD)).program("baseline")
    assert list(program.threads) == ["toolstack0", "vcpu0"]
    state = program.setup()
    assert program.threads["toolstack0"](state) == [0, 0]


WRONG = {
    "not TOML": ("schema = 1\n", "schema = \n", "not TOML"),
    "no schema": ("schema = 1\n", "", "schema: missing"),
    "newer schema": ("schema = 1", "schema = 2", "2 is newer than 1. Upgrade RaceBench."),
    "schema is a bool": ("schema = 1", "schema = true", "True is not a schema number"),
    "huge number": ("schema = 1", "schema = " + "9" * 5000, "not TOML"),
    "unknown key": ('source = "gic.c"', 'sorce = "gic.c"', "sorce: unknown key. Did you mean source?"),
    "unknown domain key": ("vcpus = 3", "cpus = 3", "domain.cpus: unknown key. Did you mean vcpus?"),
    "unknown entry key": ("enabled = true", "enable = true", "domain.routed[0].enable: unknown key"),
    "title of spaces": ('"Two routes"', '"  "', "title: '  ' is not a text"),
    "title is a number": ('"Two routes"', "2", "title: 2 is not a text"),
    "control character": ('"Two routes"', '"a\\u001b[31m"', "has control characters"),
    "tags is a text": ('tags = ["thread"]', 'tags = "thread"', "tags: 'thread' is not a list of texts"),
    "vcpus is a bool": ("vcpus = 3", "vcpus = true", "domain.vcpus: True is not a whole number"),
    "vcpus is a float": ("vcpus = 3", "vcpus = 3.0", "domain.vcpus: 3.0 is not a whole number"),
    "too many vcpus": ("vcpus = 3", "vcpus = 9", "domain.vcpus: 9 is outside 1..8"),
    "too many spis": ("spis = 64", "spis = 989", "domain.spis: 989 is outside 1..988"),
    "bad state": ('"creating"', '"create"', "domain.state: 'create' is no state. Did you mean creating?"),
    "virq out of range": ("virq = 41, pirq", "virq = 1200, pirq", "virq 1200 is outside 32..95"),
    "pirq out of range": ("pirq = 70", "pirq = 7", "domain.routed[0].pirq: 7 is outside"),
    "enabled is a number": (
        "enabled = true",
        "enabled = 1",
        "enabled: 1 is not true or false",
    ),
    "routed twice": (
        "enabled = true }",
        "enabled = true }, { virq = 41, pirq = 71 }",
        "domain.routed[1]: virq 41 is named twice",
    ),
    "pirq twice": (
        "enabled = true }",
        "enabled = true }, { virq = 42, pirq = 70 }",
        "domain.routed[1]: pirq 70 is named twice",
    ),
    "bad queue": ('"lr_pending" }', '"lr_pend" }', "Did you mean lr_pending?"),
    "pending is no list": ('[{ virq = 41, on = "lr_pending" }]', "3", "domain.pending: 3 is not a list"),
    "too many in LRs": (
        '{ virq = 41, on = "lr_pending" }',
        ", ".join(f'{{ virq = {v}, on = "lr" }}' for v in range(41, 46)),
        "more than 4 in an LR",
    ),
    "active on no LR": ('"lr_pending" }', '"lr_pending", active = true }', "it is in no LR"),
    "bad type": ('state = "creating"', 'lines = [{ pirq = 70, type = "egde" }]', "Did you mean edge?"),
    "line twice": ('state = "creating"', "lines = [{ pirq = 70 }, { pirq = 70 }]", "a pirq is named twice"),
    "no such eSPI": ('state = "creating"', "reserved = [4096]", "virq 4096 is outside 32..95"),
    "target twice": (
        'state = "creating"',
        "targets = [{ virq = 41, vcpu = 1 }, { virq = 41, vcpu = 0 }]",
        "domain.targets[1]: virq 41 is named twice",
    ),
    "unknown operation": (
        '"release virq=40"',
        '"relese virq=40"',
        "toolstack0[1]: unknown operation",
    ),
    "operation off range": (
        "virq=40 pirq=64",
        "virq=99 pirq=64",
        "toolstack0[0]: virq 99 is outside",
    ),
    "no operation": ('["isenabler virq=[40,41]"]', "[]", "threads.vcpu0: no operation"),
    "thread without a name": ("vcpu0 =", '"" =', "a thread without a name"),
    "the same thread twice": ("vcpu0 =", "toolstack0 =", "not TOML"),
    "unknown protocol": ("no_rank_lock =", "no_rank_lok =", "Did you mean no_rank_lock"),
    "unknown rule": ('["mapping.corrupted"]', '["mapping.corupted"]', "Did you mean mapping.corrupted?"),
    "unknown allowed rule": ('["deadlock.cycle"]', '["deadlock"]', "expect.allow.baseline: unknown rule"),
    "protocol twice": ('"*" = []', '"*" = []\nno-rank-lock = []', "named twice"),
    "allow is a list": (
        'allow."*" = ["irq.lost_eoi"]\nallow.baseline = ["deadlock.cycle"]',
        "allow = []",
        "expect.allow: [] is not a table",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_file_and_remedy(tmp_path: Path, case: str) -> None:
    old, new, message = WRONG[case]
    path = toml(tmp_path, changed(old, new))
    with pytest.raises(ScenarioError) as error:
        load_scenario(path)
    text = str(error.value)
    assert text.startswith(str(path))
    assert message in text
    assert "\n" not in text
    assert error.value.remedy


def test_too_many_threads_and_operations(tmp_path: Path) -> None:
    line = 'vcpu0 = ["isenabler virq=[40,41]"]'
    many = "\n".join(f't{i} = ["unpause"]' for i in range(65))
    with pytest.raises(ScenarioError, match="threads: 66 threads"):
        load_scenario(toml(tmp_path, changed(line, many)))
    long = "vcpu0 = [" + '"unpause", ' * 65 + "]"
    with pytest.raises(ScenarioError, match=r"threads\.vcpu0: 65 operations"):
        load_scenario(toml(tmp_path, changed(line, long)))


@pytest.mark.parametrize("table", ["threads", "expect"])
def test_a_missing_table_is_named(tmp_path: Path, table: str) -> None:
    text = GOOD[: GOOD.index(f"[{table}]")]
    if table == "threads":
        text += '[expect]\n"*" = []\n'
    with pytest.raises(ScenarioError, match=rf"{table}: missing. Add a \[{table}\] table."):
        load_scenario(toml(tmp_path, text))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file"):
        load_scenario(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ScenarioError, match="not a regular file"):
        load_scenario(tmp_path / "folder.toml")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"')
    with pytest.raises(ScenarioError, match="not UTF-8 at byte 9"):
        load_scenario(tmp_path / "latin.toml")
    with pytest.raises(ScenarioError, match="larger than 1 MiB"):
        load_scenario(toml(tmp_path, "#" * (1 << 20) + "\n"))
    with pytest.raises(ScenarioError, match=r"nested too deeply|not TOML"):
        load_scenario(toml(tmp_path, "a = " + "[" * 5000))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("title" + ".a" * 400_000 + " = 1", "a key of more than 16 parts"),
        ("title = " + "{ a = " * 90 + "1" + " }" * 90, "nested too deeply"),
        ("schema = 0x" + "f" * 5000, "beyond 64 bits"),
        ("title = [[0x" + "f" * 5000 + "]]", "beyond 64 bits"),
    ],
)
def test_what_python_cannot_show_or_is_slow_to_read_is_refused(
    tmp_path: Path, line: str, message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        load_scenario(toml(tmp_path, line + "\n"))


PYTHON = '''\
"""Two deposits."""
from __future__ import annotations
import dataclasses
import racebench as rb

TITLE, SOURCE, TAGS = "two deposits", "mine", ["account"]
EXPECT = {"before": ["account.lost"], "*": []}

@dataclasses.dataclass
class Limit:
    value: int = 2

class Account(rb.State):
    balance = rb.shared(0)

def add(s):
    s.balance += 1

THREADS = {"a": add, "b": add}

def variants():
    return {v: rb.Program("account", setup=Account, threads=THREADS) for v in ("before", "after")}
'''


def test_a_python_scenario_has_variants_for_protocols(tmp_path: Path) -> None:
    s = load_scenario(toml(tmp_path, PYTHON, "account.py"))
    assert s.protocols() == ["before", "after"]
    assert s.expected("before") == ("account.lost",)
    assert s.expected("after") == ()
    assert isinstance(s.program("after"), rb.Program)
    assert s.comment == "Two deposits."
    assert s.text == ""
    with pytest.raises(ScenarioError, match=r"no variant 'baseline'.*before, after"):
        s.program("baseline")
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("import racebench as rb\n", "import racebench as rb\n1 / 0\n", "line 5: raised ZeroDivisionError"),
        ("def add(s):", "def add(s:", "not Python"),
        ("import racebench as rb\n", "import racebench as rb, sys\nsys.exit(3)\n", "raised SystemExit: 3"),
        ('"two deposits", "mine"', 'None, "mine"', "TITLE: missing"),
        ('["account"]', '"account"', "TAGS: 'account' is not a list of texts"),
        ('"*": []', '"*": "mapping.corrupted"', "EXPECT['*']: 'mapping.corrupted' is not a list of texts"),
        ('"*": []', '"afer": []', "EXPECT['afer']: no such variant. Variants: before, after."),
        ("EXPECT = {", "EXPEKT = {", "EXPECT: missing or not a dict"),
        ("def variants():", "def variant():", "variants: missing"),
        ("    return {v:", "    return {1:", "variants[1]: is not a Program"),
        ("    return {v:", "    return [3] or {v:", "did not return a dict of Programs"),
        ("    return {v:", "    raise KeyError(3)\n    return {v:", "variants: raised KeyError: 3"),
    ],
)
def test_a_mistake_in_a_python_scenario(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert PYTHON.count(old) == 1
    path = toml(tmp_path, PYTHON.replace(old, new), "account.py")
    with pytest.raises(ScenarioError) as error:
        load_scenario(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


@pytest.mark.parametrize("scenario", bundled(), ids=lambda s: s.name)
def test_bundled_scenarios_say_what_they_are_about(scenario: Scenario) -> None:
    assert scenario.title
    assert "@" in scenario.source
    assert scenario.comment
    assert scenario.path.parent.name in scenario.tags
    # Whoever runs it takes for granted that it goes with every protocol, as is seen here.
    assert scenario.variants or load_scenario(scenario.path) == scenario
    for protocol in scenario.protocols():
        for rule in set(scenario.expected(protocol)) - set(rules()):
            # A program's own: a Python scenario that breaks what it expects, by that name.
            assert scenario.path.suffix == ".py"
            assert scenario.path.read_text(encoding="utf-8").count(f'"{rule}"') > 1


def test_the_thread_scenarios_settle_every_claim() -> None:
    settled = {claim for s in bundled() if "thread" in s.tags for claim in s.settles}
    assert settled == {f"K{n}" for n in range(1, 10)}


@pytest.mark.parametrize(
    ("domain", "rule"),
    [
        ("lines = [{ pirq = 64, affinity = 3 }]", "irq.wrong_affinity is broken under"),
        ('pending = [{ virq = 40, on = "lr_pending", vcpu = 1 }]', "irq.wrong_vcpu is broken under"),
    ],
)
def test_one_that_begins_with_a_rule_broken_blames_no_thread(tmp_path: Path, domain: str, rule: str) -> None:
    head = 'schema = 1\ntitle = "t"\n[domain]\n'
    rest = '\n[threads]\nvcpu0 = ["restore vcpu=0"]\n[expect]\n"*" = []\n'
    routed = "routed = [{ virq = 40, pirq = 64, enabled = true }]\n"
    with pytest.raises(ScenarioError, match="before any thread starts") as raised:
        load_scenario(toml(tmp_path, head + routed + domain + rest))
    assert rule in str(raised.value) and "Mend what it says" in str(raised.value)
    assert cli.main(["verify", str(tmp_path / "case.toml")]) == 2
    assert load_scenario(toml(tmp_path, head + routed + rest)).threads
    sent = rest.replace("restore vcpu=0", "isenabler virq=40")
    if "affinity" in domain:
        assert load_scenario(toml(tmp_path, head + routed + domain + sent)).threads


def test_a_line_may_be_active_before(tmp_path: Path) -> None:
    """Firmware may have left it so, or a pCPU has acknowledged it: no rule is broken by that alone."""
    start = 'schema = 1\ntitle = "t"\n[domain]\nlines = [{ pirq = 64, active = true }]\n'
    late = '[threads]\npcpu1 = ["late_irq pirq=65", "irq pirq=64"]\n[expect]\n"*" = []\n'
    assert load_scenario(toml(tmp_path, start + late)).threads


def test_an_interrupt_that_may_come_to_either_pcpu_is_alone(tmp_path: Path) -> None:
    start = GOOD.index("[threads]")
    end = GOOD.index("[expect]")

    def threads(text: str) -> Path:
        return toml(tmp_path, f"{GOOD[:start]}[threads]\n{text}\n\n{GOOD[end:]}")

    assert load_scenario(threads('pcpu1 = ["irq pirq=64 either=0"]')).threads
    for wrong in ('pcpu1 = ["irq pirq=64 either=0", "irq pirq=65"]', 'vcpu0 = ["irq pirq=64 either=0"]'):
        with pytest.raises(
            ScenarioError, match="is not a pCPU's only operation. Give it a thread of its own"
        ):
            load_scenario(threads(wrong))
    with pytest.raises(ScenarioError, match="Write one of the two"):
        load_scenario(threads('pcpu1 = ["irq pirq=64 vcpu=0 either=0"]'))


@pytest.mark.parametrize("other", ["trap vcpu=0", "restore vcpu=0", "eoi virq=40 vcpu=0"])
def test_a_vcpu_is_played_by_one_thread(tmp_path: Path, other: str) -> None:
    start = GOOD.index("[threads]")
    end = GOOD.index("[expect]")
    two = f'[threads]\na = ["trap vcpu=0"]\nb = ["{other}"]\n\n'
    with pytest.raises(ScenarioError, match=f"a and b both play vCPU 0: {other}. A vCPU is one thread"):
        load_scenario(toml(tmp_path, GOOD[:start] + two + GOOD[end:]))
    apart = two.replace(f'b = ["{other}"]', f'b = ["{other.replace("vcpu=0", "vcpu=1")}"]')
    assert set(load_scenario(toml(tmp_path, GOOD[:start] + apart + GOOD[end:])).threads) == {"a", "b"}
