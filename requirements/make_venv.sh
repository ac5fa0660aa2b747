#!/bin/sh
# Make the virtual environment $1 with the first Python that fits. Each candidate is tried by running it: some
# machines have launchers by these names that only print an error, and Debian's Python may lack its venv module.
set -eu
target=$1
fits='import sys, ssl, sqlite3; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))'
has_venv='import venv, ensurepip'
without_venv=''

for python in ${PYTHON:-} python3.11 python3.12 python3; do
    "$python" -c "$fits" 2>/dev/null || continue
    if "$python" -c "$has_venv" 2>/dev/null; then
        "$python" -m venv --clear "$target"
        echo "$target: $("$target/bin/python" --version) ($python)"
        exit 0
    fi
    without_venv=$python
done

if [ -n "$without_venv" ]; then
    echo "$without_venv has no venv module. On Debian and Ubuntu it is in the package $("$without_venv" -c \
        'import sys; print("python%d.%d-venv" % sys.version_info[:2])')." >&2
else
    echo 'Colloque needs Python 3.11 or 3.12 and found neither. Name one: make PYTHON=/path/to/python3.12 …' >&2
fi
exit 1
