"""How many small faults in the statistics and the claims the tests notice.

A mutant of a module has one operator, comparison, bound or constant changed. It lives in a forked
process, which compiles the changed syntax tree instead of the file and runs the tests that reach
the changed statement, the quickest first, until one fails: no file is touched. Which tests reach
what is traced first, once, with the modules as they are. Mutants are drawn by a hash of the seed
and of what they change, so that a change in one function hardly moves the sample of the others.

``make mutations`` draws eight mutants of every module; ``--modules verdicts --mutants 0`` takes
all mutants of one. Survivors that no test can tell from the original are listed, with the reason,
in ``docs/mutations.md``.
"""

import argparse
import ast
import hashlib
import importlib.abc
import importlib.util
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

# Loaded before the forks, so that no mutant waits for them.
import hypothesis  # noqa: F401
import matplotlib.pyplot as plt  # noqa: F401
import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pytest
import scipy.stats  # noqa: F401
import torch  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
TESTS = ["tests/statistics", "tests/experiments/test_claims.py"]
EXPLAINED = ROOT / "docs/mutations.md"
# Slower tests are left out, seconds; so is what would make one mutant take longer than that.
SLOW_TEST, LONGEST = 3.0, 15.0
LONGEST_SHOWN = 100
ANNOTATIONS = {"annotation", "returns"}
OPERATORS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Mult],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
    ast.USub: [ast.UAdd],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
PAIRS = [("min", "max"), ("minimum", "maximum"), ("any", "all"), ("argmin", "argmax")]
FUNCTIONS = dict(PAIRS) | {right: left for left, right in PAIRS}


@dataclass
class Mutant:
    """One change of one attribute of one node of a syntax tree.

    Attributes:
        function: Qualified name of the function or class, empty at the level of the module.
        lines: First and last line of the statement, without the statements within it.
        change: The expression before and after.
        shown: The same for a reader: of a constant, that of what it stands in.
        node: What is changed.
        attribute: Attribute of the node.
        value: What it becomes.
    """

    function: str
    lines: tuple[int, int]
    line: int
    change: str
    shown: str
    node: ast.AST
    attribute: str
    value: object

    def where(self, module: str) -> str:
        """Return the module and the function."""
        return f"{module}.{self.function}".rstrip(".")


def changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Attributes of a node and what each may become."""
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield "value", not value
        elif isinstance(value, int):
            yield from (("value", value + 1), ("value", value - 1))
        elif isinstance(value, float):
            yield from (("value", 1.5 * value if value else 1.0), ("value", value / 2 or -1.0))
    elif isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            for other in OPERATORS.get(type(op), []):
                yield "ops", [*node.ops[:place], other(), *node.ops[place + 1 :]]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
        yield "operand", ast.UnaryOp(node.op, node.operand)
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp):
        for other in OPERATORS.get(type(node.op), []):
            yield "op", other()
    elif isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Name) and called.id in FUNCTIONS:
            yield "func", ast.Name(FUNCTIONS[called.id], ast.Load())
        elif isinstance(called, ast.Attribute) and called.attr in FUNCTIONS:
            yield "func", ast.Attribute(called.value, FUNCTIONS[called.attr], ast.Load())


def described(around: ast.AST, node: ast.AST, attribute: str, value: object) -> str:
    """Return the source of a part of a tree before and after a change of a node in it."""
    around = around if len(ast.unparse(around)) < LONGEST_SHOWN else node
    kept, old = getattr(node, attribute), ast.unparse(around)
    setattr(node, attribute, value)
    new = ast.unparse(around)
    setattr(node, attribute, kept)
    return f"{old} → {new}"


def mutants(tree: ast.Module) -> list[Mutant]:
    """All mutants of a module, in the order of its lines."""
    found: list[Mutant] = []

    def visit(
        node: ast.AST, around: ast.AST, names: tuple[str, ...], lines: tuple[int, int]
    ) -> None:
        if isinstance(node, ast.stmt):
            inner = [child for child in ast.walk(node) if child is not node]
            first = [child.lineno for child in inner if isinstance(child, ast.stmt)]
            last = max(node.lineno, min(first) - 1) if first else node.end_lineno
            lines = (node.lineno, last)
        if isinstance(node, ast.expr):
            around = around if isinstance(node, ast.Constant) else node
            for attribute, value in changes(node):
                told = (described(part, node, attribute, value) for part in (node, around))
                where = ".".join(names)
                found.append(Mutant(where, lines, node.lineno, *told, node, attribute, value))
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = (*names, node.name)
        for field, child in ast.iter_fields(node):
            if field in ANNOTATIONS:
                continue
            for part in child if isinstance(child, list) else [child]:
                if isinstance(part, ast.AST):
                    visit(part, node, names, lines)

    visit(tree, tree, (), (1, 1))
    return found


def sample(found: Sequence[Mutant], size: int, seed: int) -> list[Mutant]:
    """Draw mutants, at most one of each node; all, if there are no more or the size is 0."""
    seen: Counter[str] = Counter()
    ranks = []
    for mutant in found:
        identity = f"{seed} {mutant.function} {mutant.change}"
        ranks.append(hashlib.blake2b(f"{identity} {seen[identity]}".encode()).hexdigest())
        seen[identity] += 1
    drawn: dict[int, Mutant] = {}
    for _, place in sorted((rank, place) for place, rank in enumerate(ranks)):
        if size == 0 or len(drawn) < size:
            key = place if size == 0 else id(found[place].node)
            drawn.setdefault(key, found[place])
    return sorted(drawn.values(), key=lambda mutant: mutant.line)


class MutatedModule(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a syntax tree instead of its file."""

    def __init__(self, name: str, path: Path, tree: ast.Module):
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, fullname, path=None, target=None):
        """Offer this loader for the one module."""
        if fullname == self.name:
            return importlib.util.spec_from_file_location(fullname, self.path, loader=self)
        return None

    def exec_module(self, module):
        """Run the syntax tree in the namespace of the module."""
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)


class Tracer:
    """Records in which lines of which modules every test comes, and how long it takes."""

    def __init__(self, files: Sequence[str]):
        self.files = set(files)
        self.imports = 0
        self.now: set[tuple[str, int]] = set()
        self.lines: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        # What imports and fixtures of a file reach belongs to all its tests.
        self.fixtures: dict[str, set[tuple[str, int]]] = defaultdict(set)

    def trace(self, frame, event, argument):
        """Note a line of the files, as a trace function of ``sys.settrace``."""
        code = frame.f_code
        if code.co_filename not in self.files:
            return None
        if code.co_name == "<module>" and event in {"call", "return"}:
            self.imports += 1 if event == "call" else -1
        # What an import runs, the first test that needs it runs for all.
        if not self.imports:
            self.now.add((code.co_filename, frame.f_lineno))
        return self.trace

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self, collector):
        """Trace what a file of tests runs when it is imported."""
        yield from self._traced(self.fixtures[collector.nodeid])

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(self, item):
        """Trace the fixtures of a test."""
        yield from self._traced(self.fixtures[item.nodeid.partition("::")[0]])

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        """Trace a test and take its time."""
        begin = time.process_time()
        yield from self._traced(self.lines[item.nodeid])
        self.seconds[item.nodeid] = time.process_time() - begin

    def _traced(self, lines):
        self.now = lines
        sys.settrace(self.trace)
        yield
        sys.settrace(None)

    def result(self) -> dict[str, tuple[float, list[tuple[str, int]]]]:
        """Return seconds and lines of every test."""
        return {
            test: (seconds, sorted(self.lines[test] | self.fixtures[test.partition("::")[0]]))
            for test, seconds in self.seconds.items()
        }


class Only:
    """Runs chosen tests in their order."""

    def __init__(self, tests: Sequence[str]):
        self.order = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items):
        """Keep and sort the tests."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order),
            key=lambda item: self.order[item.nodeid],
        )


def forked(work: Callable[[], int], seconds: float = 0) -> int | None:
    """Exit code of the work in a forked process; None if it is killed or out of CPU seconds."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        code = 3
        try:
            if seconds:
                limit = round(seconds)
                resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if not os.environ.get("MUTATIONS_VERBOSE"):
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
            code = int(work())
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else None


def run_pytest(tests: Sequence[str], plugin: object) -> int:
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--no-header"]
    return pytest.main([*options, *tests], plugins=[plugin])


def traced(files: Sequence[str], tests: Sequence[str]) -> dict[str, tuple[float, set]]:
    """Seconds of every test, and the lines it reaches.

    Raises:
        SystemExit: If a test fails without any change.
    """
    with tempfile.NamedTemporaryFile("r+") as file:

        def work() -> int:
            tracer = Tracer(files)
            code = run_pytest(tests, tracer)
            Path(file.name).write_text(json.dumps(tracer.result()))
            return code

        code = forked(work)
        if code:
            raise SystemExit(f"Tests must pass without mutants, but pytest ended with {code}.")
        found = json.loads(Path(file.name).read_text())
    return {test: (took, {tuple(line) for line in lines}) for test, (took, lines) in found.items()}


@dataclass
class Module:
    """A module and the tests that could notice a change in it."""

    name: str
    path: Path

    @property
    def tree(self) -> ast.Module:
        """A new syntax tree of the file."""
        return ast.parse(self.path.read_text())

    def importers(self) -> set[str]:
        """Files of the package that import this module directly, itself included.

        Claims of experiments are imported by name, in the package of experiments.
        """
        pattern = re.compile(rf"(from|import) {re.escape(self.name)}\b")
        files = (ROOT / "generalization").rglob("*.py")
        found = {str(file) for file in files if pattern.search(file.read_text())}
        if self.name.startswith("generalization.experiments."):
            found.add(str(self.path.parents[1] / "__init__.py"))
        return found | {str(self.path)}

    def tests(self, mutant: Mutant, reached: dict[str, tuple[float, set]]) -> list[str]:
        """Quick tests that reach the mutant: those of the module's own file, then the quickest.

        What is evaluated at import is reached by all tests that reach the module or one of those
        that import it.
        """
        first, last = mutant.lines
        spans = {(str(self.path), line) for line in range(first, last + 1)}
        tests = [test for test, (_, lines) in reached.items() if lines & spans]
        if not tests:
            files = self.importers()
            tests = [t for t, (_, lines) in reached.items() if any(f in files for f, _ in lines)]
        own = f"/test_{self.path.stem}.py::"
        chosen, total = [], 0.0
        for test in sorted(tests, key=lambda test: (own not in test, reached[test][0])):
            seconds = reached[test][0]
            if seconds < SLOW_TEST and total + seconds < LONGEST:
                total += seconds
                chosen.append(test)
        return chosen


def survives(module: Module, tree: ast.Module, mutant: Mutant, tests: Sequence[str]) -> bool:
    """Run tests on a module in which one node is changed."""
    files = sorted({test.partition("::")[0] for test in tests})

    def work() -> int:
        setattr(mutant.node, mutant.attribute, mutant.value)
        finder = MutatedModule(module.name, module.path, ast.fix_missing_locations(tree))
        sys.meta_path.insert(0, finder)
        return run_pytest(files, Only(tests))

    # Collecting takes some seconds, and a mutant may be slower than the original.
    return forked(work, seconds=20 + 3 * LONGEST) == 0


def explained() -> set[tuple[str, str]]:
    """Module with function, and change, of the mutants that the documentation explains."""
    if not EXPLAINED.exists():
        return set()
    lines = re.findall(r"^\| `([^`]+)` \| `([^|]+)` \|", EXPLAINED.read_text(), re.MULTILINE)
    return {(where, change.replace("¦", "|")) for where, change in lines}


def modules(names: Sequence[str]) -> list[Module]:
    """Modules of the statistics, and the claims of each experiment."""
    package = ROOT / "generalization"
    paths = [*package.glob("statistics/*.py"), *package.glob("experiments/*/claims.py")]
    found = []
    for path in sorted(paths):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if path.stem != "__init__" and (not names or any(name.endswith(n) for n in names)):
            found.append(Module(name, path))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modules", nargs="*", default=[], help="ends of names; all by default")
    parser.add_argument("--mutants", type=int, default=8, help="per module; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", nargs="*", default=TESTS)
    settings = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    chosen = modules(settings.modules)
    package = [str(path) for path in (ROOT / "generalization").rglob("*.py")]
    reached = traced(package, settings.tests)
    reasons, counts = explained(), Counter()
    possible: set[tuple[str, str]] = set()
    print(f"{len(reached)} tests in {sum(took for took, _ in reached.values()):.0f} s of CPU\n")
    for module in chosen:
        tree, name = module.tree, module.name.removeprefix("generalization.")
        kinds: Counter[str] = Counter()
        found = mutants(tree)
        possible |= {(mutant.where(name), mutant.shown) for mutant in found}
        for mutant in sample(found, settings.mutants, settings.seed):
            tests = module.tests(mutant, reached)
            kind = "caught"
            if not tests or survives(module, tree, mutant, tests):
                where = mutant.where(name)
                kind = "explained" if (where, mutant.shown) in reasons else "survived"
                told = f"{where}:{mutant.line}  {mutant.shown}  ({len(tests)} tests)"
                print(f"  {kind}  {told}", flush=True)
            kinds[kind] += 1
        counts += kinds
        print(f"{name:<45}{kinds['caught']:>4} of {kinds.total():>2} caught", flush=True)
    total = counts.total()
    print(
        f"\n{counts['caught']} of {total} mutants caught ({counts['caught'] / max(total, 1):.1%}), "
        f"{counts['explained']} explained, {counts['survived']} survived."
    )
    if not settings.modules:
        for where, change in sorted(reasons - possible):
            print(f"  explained, but no mutant any more: {where}  {change}")


if __name__ == "__main__":
    main()
