#!/usr/bin/env bash
# hypothesis 6.170.15, pytest 9.2.0.
#
# A good guess: with `derandomize=True` and no database a test draws the same examples in every run of the same versions.
# The setting's own documentation says so: the same cases until Hypothesis, Python or the test function changes.
# Instead: some of the values that Hypothesis draws are constants that it finds in the source of the project's modules
# which happen to be loaded. Another file that is collected beside the test, a module that is imported late or the share
# of the tests that a worker of xdist gets change the pool, and with it every example of an untouched test.
# Below the same test runs alone, and beside a file that only imports a module of four numbers. It draws other examples,
# and one of the four among them. Alone it draws the same ones every time. Test files themselves are left out.
# Hurt: who relies on derandomized runs to compare two of them, bounds from below how often something rare was drawn,
# or runs one failing test by itself: it need not draw what it drew in the whole suite.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary hypothesis==6.170.15 pytest==9.2.0
cd "$here"

cat > test_draws.py << 'EOF'
from hypothesis import given, settings
from hypothesis import strategies as st

seen = []


@settings(derandomize=True, database=None, max_examples=300)
@given(st.integers())
def test_draws(number):
    seen.append(number)


def test_told():
    print(f"drawn: {len(seen)}, fingerprint {hash(tuple(seen))}, the meter's number: {918273645546 in seen}")
EOF
printf 'METER, TARIFF, GRID, HOME = 918273645546, 1122334455667788, 424242424242, -77777777777\n' > numbers_of_ours.py
printf 'import numbers_of_ours\n' > test_beside.py

run() { venv/bin/python -m pytest -q -s -p no:cacheprovider "$@" | grep -o 'drawn: .*'; }
alone=$(run test_draws.py)
again=$(run test_draws.py)
beside=$(run test_draws.py test_beside.py)
echo "alone:               $alone"
echo "alone, once more:    $again"
echo "beside four numbers: $beside"
[ "$alone" = "$again" ] || { echo "CHANGED: a derandomized run is not even the same twice"; exit 1; }
[ "$alone" != "$beside" ] || { echo "CHANGED: what else is loaded no longer decides what is drawn"; exit 1; }
case $beside in *True) ;; *) echo "CHANGED: no constant of another file is drawn"; exit 1 ;; esac
echo "as stated"
