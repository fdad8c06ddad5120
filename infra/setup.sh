#!/bin/sh
# Everything that make's targets need: uv, the locked environment, and the stack's programs and jars.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3.11}

say() { echo "setup: $*" >&2; }

command -v "$python" >/dev/null || { say "Python 3.11 is missing: apt-get install python3.11, or set PYTHON"; exit 1; }

find_uv() {
    for uv in uv "$python -m uv" .uv/bin/uv; do
        $uv --version >/dev/null 2>&1 && return 0
    done
    return 1
}

install_uv() {
    # A system Python may refuse (PEP 668): then uv gets an environment of its own.
    "$python" -m pip install --quiet uv >/dev/null 2>&1 || true
    find_uv || { "$python" -m venv .uv && .uv/bin/pip install --quiet uv; } >&2 || true
    find_uv
}

# Debian's Python comes without pip and ensurepip. Fails where they are there, or nobody may install them unasked.
install_venv() {
    "$python" -c "import ensurepip" 2>/dev/null && return 1
    command -v apt-get >/dev/null || return 1
    root="sudo -n"
    [ "$(id -u)" != 0 ] || root=
    $root true 2>/dev/null || return 1
    say "installing python3.11-venv"
    apt="$root env DEBIAN_FRONTEND=noninteractive apt-get -qq"
    { $apt update && $apt install -y --no-install-recommends python3.11-venv; } >&2
}

lacks() {
    if "$python" -c "import ensurepip" 2>/dev/null; then
        echo "pip could not fetch it; mend the network or pip's index, or install uv yourself"
    else
        echo "$python has neither pip nor venv (apt-get install python3.11-venv)"
    fi
}

if ! find_uv; then
    say "installing uv"
    install_uv || { install_venv && install_uv; } || { say "uv can not be installed: $(lacks)"; exit 1; }
fi

# Some minutes of downloads are shown to who watches; a log gets what went wrong alone.
quiet=--quiet
[ ! -t 2 ] || quiet=
[ -d .venv ] || say "installing the Python packages, some minutes where none of them is cached"
# Compiled here once: where PYTHONDONTWRITEBYTECODE is set, each process would compile all that it imports.
$uv sync $quiet --inexact --extra local --frozen --compile-bytecode --python "$python"
exec .venv/bin/python -m infra.stack
