"""Checks what the workspace pulls in: licences, and crates present in two versions.

Reads `cargo metadata` for this platform. A licence outside the list, or a second version of a crate that
nobody has justified below, fails the check and is named with who asks for it.
"""

import json
import re
import subprocess
import sys

ALLOWED_LICENCES = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}

# Crates that stand in two versions because two of our dependencies have not met yet, and what would end it.
KNOWN_DUPLICATES = {
    "base64": "axum and pem name 0.22, the object store's client 0.23; ends with their next releases",
    "block-buffer": "see digest",
    "cpufeatures": "argon2 and rand have not met; ends with argon2 0.6",
    "crypto-common": "see digest",
    "digest": "argon2's blake2 names 0.10, object_store's md-5 (for S3) 0.11; ends with argon2 0.6",
    "getrandom": "ring 0.17 names an old one; ends with ring 0.18",
    "hashbrown": "fjall's caches and dashmap follow behind; ends with their next releases. Tests only",
    "rand": "tungstenite names 0.9, object_store 0.10; ends with tungstenite's next release",
    "rand_core": "password-hash 0.5 names an old one for salts, which we make ourselves; ends with argon2 0.6",
    "spin": "flume (fjall, tests) names 0.9, crc-fast 0.10",
    "syn": "derive macros are moving from 2 to 3; build time only",
    "synstructure": "derive macros are moving from syn 2 to 3; build time only",
    "tower-http": "reqwest (the object store's client) names 0.6; ends with its next release",
}


def metadata():
    host = re.search(r"host: (\S+)", subprocess.check_output(["rustc", "-vV"], text=True)).group(1)
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", host]
    return json.loads(subprocess.check_output(command, text=True))


def licence_is_allowed(expression):
    """SPDX with `OR` binding weaker than `AND`, as far as crates use it; `/` is the old spelling of OR."""
    text = expression.replace("/", " OR ")
    while "(" in text:
        text, replaced = re.subn(
            r"\(([^()]*)\)", lambda m: "MIT" if licence_is_allowed(m.group(1)) else "refused", text
        )
        if not replaced:
            return False
    return any(
        all(part.strip() in ALLOWED_LICENCES for part in choice.split(" AND ")) for choice in text.split(" OR ")
    )


def check_licences(packages):
    for package in packages:
        licence = package["license"]
        if not licence or not licence_is_allowed(licence):
            yield f"{package['name']} {package['version']}: licence {licence!r} is not in checks/dependencies.py"


def check_duplicates(packages, resolve):
    by_name = {}
    for package in packages:
        by_name.setdefault(package["name"], []).append(package)
    names = {package["id"]: f"{package['name']} {package['version']}" for package in packages}
    for name, versions in sorted(by_name.items()):
        if len(versions) < 2 or name in KNOWN_DUPLICATES:
            continue
        for package in versions:
            users = [names[node["id"]] for node in resolve if package["id"] in node["dependencies"]]
            yield f"{name} {package['version']} stands beside another version; asked for by {', '.join(users)}"
    for name in KNOWN_DUPLICATES:
        if len(by_name.get(name, [])) < 2:
            yield f"{name} no longer stands in two versions: take it out of KNOWN_DUPLICATES"


def main():
    data = metadata()
    used = {node["id"] for node in data["resolve"]["nodes"]}
    packages = [package for package in data["packages"] if package["id"] in used]
    problems = list(check_licences(packages)) + list(check_duplicates(packages, data["resolve"]["nodes"]))
    for problem in problems:
        print(f"dependencies: {problem}", file=sys.stderr)
    print(f"dependencies: {len(packages)} crates, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
