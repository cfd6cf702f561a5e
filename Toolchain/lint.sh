#!/usr/bin/env bash
# The repository's own rules: format, warnings, import graph, lengths, links, scripts. What CI runs first.
# usage: Toolchain/dev lint
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/Toolchain/setup.sh" build lint
cd "$ROOT"
python=$(venv_directory)/bin
scripts=(Toolchain/dev Toolchain/testbed/run .ci/run)
mapfile -t -O "${#scripts[@]}" scripts < <(git ls-files --cached --others --exclude-standard '*.sh' image/root/sbin image/test/root/sbin)

say "swift format"
swift format lint --strict --parallel --recursive Package.swift Sources Tests
say "shellcheck"
shellcheck --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
say "ruff"
"$python/ruff" check --quiet --config Toolchain/ruff.toml Toolchain
"$python/ruff" format --quiet --check --config Toolchain/ruff.toml Toolchain
say "building, a warning is an error"
swift build --build-tests "${SWIFT_FLAGS[@]}"
say "tidy tests"
swift test --skip-build --disable-xctest "${SWIFT_FLAGS[@]}" --filter TidyTests
say "lint: nothing to complain about"
