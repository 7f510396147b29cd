"""Checks the habits that no compiler knows: size of files and functions, opening lines, unfinished marks.

The limits are ratchets: `checks/tidy.toml` names the places that are over a limit today, with their size. A place may
only shrink; when it does, the check asks for the smaller number.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES = 600
FUNCTION_LINES = 80
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|todo!|unimplemented!)")
SLEEPS = re.compile(r"(thread::sleep|time::sleep)\(")
FUNCTION = re.compile(r"^(\s*)(?:pub(?:\([^)]*\))? )?(?:const )?(?:async )?fn (\w+)")
# Words that say nothing about what a file holds.
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}


def tracked(*patterns):
    output = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], cwd=ROOT, text=True
    )
    return sorted({ROOT / line for line in output.splitlines() if (ROOT / line).exists()})


def functions(lines):
    """(name, first line, length) of each function, told by indentation as rustfmt leaves it."""
    for start, line in enumerate(lines):
        opening = FUNCTION.match(line)
        if not opening:
            continue
        indent = opening.group(1)
        for end in range(start, len(lines)):
            text = lines[end]
            if end == start and (text.rstrip().endswith(";") or text.rstrip().endswith("}")):
                break
            if text.startswith(indent + "}") or (text.startswith(indent) and text.strip().endswith(");") and end == start):
                yield opening.group(2), start + 1, end - start + 1
                break
            if text == indent + "    ;" or (end > start and FUNCTION.match(text) and text.startswith(indent + "fn")):
                break


def module_is_reached(path, sources):
    """A Rust file that no `mod` names is dead; roots are named by Cargo."""
    stem = path.parent.name if path.name == "mod.rs" else path.stem
    if stem in {"lib", "main", "build"} or path.parent.name in {"examples", "benches", "bin", "tests"}:
        return True
    holder = path.parent.parent if path.name == "mod.rs" else path.parent
    candidates = [holder / "mod.rs", holder / "lib.rs", holder / "main.rs", holder.with_suffix(".rs")]
    candidates += list(holder.glob("*.rs"))
    declaration = re.compile(rf"\bmod {re.escape(stem)};|path = \"{re.escape(path.name)}\"")
    return any(candidate in sources and declaration.search(sources[candidate]) for candidate in candidates)


def check_rust(path, text, sources, limits, seen):
    name = str(path.relative_to(ROOT))
    lines = text.splitlines()
    if not lines or not re.match(r"//!|#!\[|/\*", lines[0]):
        yield f"{name}: opens without saying what it is for (`//!`)"
    if not module_is_reached(path, sources):
        yield f"{name}: no `mod` reaches it; delete it or declare it"
    if len(lines) > FILE_LINES:
        yield from over(name, len(lines), FILE_LINES, limits.get("files", {}), seen)
    for function, line, length in functions(lines):
        if length > FUNCTION_LINES:
            yield from over(f"{name}:{function}", length, FUNCTION_LINES, limits.get("functions", {}), seen)
    in_tests = "/tests/" in name
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield f"{name}:{number}: an unfinished mark: {line.strip()[:80]}"
        if in_tests and SLEEPS.search(line) and "poll" not in line:
            yield f"{name}:{number}: a test waits for a condition, it does not sleep (mark a polling loop with `// poll`)"


def check_pages():
    """A page that says which test shows something names a test that is there."""
    tests = "\n".join(path.read_text() for path in tracked("acceptance/*.py", "*.rs"))
    names = {path.name for path in tracked()}
    for page in tracked("docs/*.md", "*/README.md"):
        for name in re.findall(r"`((?:test_)\w+(?:\.py)?)`", page.read_text()):
            there = name in names if name.endswith(".py") else re.search(rf"def {name}\b|fn {name}\b", tests)
            if not there and f"{name}.py" not in names:
                yield f"{page.relative_to(ROOT)}: there is no test {name}"


def check_degradation():
    """Each row of the degradation table names, in its last column, the tests that take the thing away."""
    page = ROOT / "docs/degradation.md"
    sources = tracked("acceptance/*.py", "*.rs")
    names = {name for path in sources for name in re.findall(r"\b(?:def|fn) (\w+)", path.read_text())}
    for number, line in enumerate(page.read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or len(cells) < 2 or set(cells[0]) == {"-"} or cells[-1] == "shown by":
            continue
        tests = re.findall(r"`(\w+)`", cells[-1])
        if not tests:
            yield f"docs/degradation.md:{number}: no test shows it"
        for test in tests:
            if test not in names:
                yield f"docs/degradation.md:{number}: there is no test {test}"


def over(place, size, limit, allowed, seen):
    seen.add(place)
    known = allowed.get(place)
    if known is None:
        yield f"{place}: {size} lines, the limit is {limit}: divide it"
    elif size > known:
        yield f"{place}: {size} lines, was {known}: it may only shrink"
    elif size < known:
        yield f"{place}: shrank from {known} to {size}: write the smaller number into checks/tidy.toml"


def main():
    limits = tomllib.loads((ROOT / "checks/tidy.toml").read_text())
    files = tracked("*.rs")
    sources = {path: path.read_text() for path in files}
    seen = set()
    problems = []
    for path, text in sources.items():
        problems += check_rust(path, text, sources, limits, seen)
    for path in tracked():
        if EMPTY_NAMES & {part.split(".")[0] for part in path.relative_to(ROOT).parts}:
            problems.append(f"{path.relative_to(ROOT)}: the name says nothing about what it holds")
    problems += check_pages()
    problems += check_degradation()
    for place in [*limits.get("files", {}), *limits.get("functions", {})]:
        if place not in seen:
            problems.append(f"checks/tidy.toml names {place}, which is within the limit: take it out")
    for problem in problems:
        print(f"tidy: {problem}", file=sys.stderr)
    print(f"tidy: {len(files)} Rust files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
