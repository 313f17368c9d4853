#!/usr/bin/env bash
# mamushi 0.1.2 (lark 1.3.1) on modules that vyper 0.4.3 compiles.
#
# A good guess: a formatter takes any file that the compiler takes, and breaks its long lines. Vyper's documentation
# ("Modules", "Initializing a module with dependencies") writes this list in brackets, and the compiler takes it over
# several lines, with or without a comma after the last item.
# Instead: when the list of an `initializes` no longer fits on one continuation line, mamushi puts one item on each line
# and a comma after the last. Its own grammar has no place for that comma, so the check of its own output raises
# UnexpectedToken and the file stays as it was. A file that has the comma already is refused as invalid. Comments inside
# `exports`, which are easily blamed, have no part in it. A shorter list is formatted.
# Hurt: projects with a contract that initializes a module with many dependencies. Their largest contract is the one
# that cannot be formatted or checked, however its lines are broken.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary \
    vyper==0.4.3 mamushi==0.1.2 lark==1.3.1
cd "$here"

for part in household_accounts day_ahead_quotes export_tariff; do
    printf '# pragma version 0.4.3\n%s_total: uint256\n' $part > $part.vy
done
cat > settlement.vy << 'EOF'
# pragma version 0.4.3
import household_accounts
import day_ahead_quotes
import export_tariff

uses: household_accounts
uses: day_ahead_quotes
uses: export_tariff


@external
def settle():
    household_accounts.household_accounts_total += (
        day_ahead_quotes.day_ahead_quotes_total
        * export_tariff.export_tariff_total
    )
EOF
opening='# pragma version 0.4.3
import household_accounts
import day_ahead_quotes
import export_tariff
import settlement

initializes: household_accounts
initializes: day_ahead_quotes
initializes: export_tariff
'
closing='

exports: (
    # A comment in here is no problem.
    settlement.settle,
)'
names=('one line' 'one item a line' 'one item a line, comma after the last')
list=(
    'initializes: settlement[household_accounts := household_accounts, day_ahead_quotes := day_ahead_quotes, export_tariff := export_tariff]'
    'initializes: settlement[
    household_accounts := household_accounts,
    day_ahead_quotes := day_ahead_quotes,
    export_tariff := export_tariff
]'
    'initializes: settlement[
    household_accounts := household_accounts,
    day_ahead_quotes := day_ahead_quotes,
    export_tariff := export_tariff,
]'
)
for form in 0 1 2; do
    printf '%s\n' "$opening${list[form]}$closing" > market$form.vy
done
venv/bin/vyper -f bytecode_runtime market0.vy market1.vy market2.vy > code 2> /dev/null
[[ $(grep -c 0x code) == 3 && $(grep 0x code | sort -u | wc -l) == 1 ]]
echo "vyper 0.4.3: the three layouts compile to the same code"

format() {  # FILE WIDTH: sets result
    local code=0
    cp "$1" m.vy
    venv/bin/mamushi -l "$2" m.vy > said 2>&1 || code=$?
    result="exit $code$(grep -o 'UnexpectedToken: .*' said | sed 's/^/, /' || true)"
    result+="; file $(cmp -s "$1" m.vy && echo unchanged || echo changed)"
}
changed=""
for form in 0 1 2; do
    format market$form.vy 80
    echo "mamushi, 80 columns (its default), ${names[form]}: $result"
    [[ $result == "exit "[1-9]*"; file unchanged" ]] || changed="mamushi formats the long list"
    [[ $form == 2 || $result == *UnexpectedToken* ]] || changed="another error than UnexpectedToken"
done
format market0.vy 120
echo "mamushi, 120 columns, where the list fits on one continuation line: $result"
[[ $result == "exit 0; file changed" ]] || changed="the list that fits is refused, too"
sed -n '/settlement\[/,/\]/p' m.vy
[[ -z $changed ]] || { echo "CHANGED: $changed"; exit 1; }
echo "as stated"
