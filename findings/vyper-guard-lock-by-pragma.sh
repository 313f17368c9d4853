#!/usr/bin/env bash
# vyper-guard 0.7.0, vyper 0.4.3.
#
# A good guess: since vyper 0.4.2 a file can lock all of its external functions with `# pragma nonreentrancy on`; an
# analyser for "vyper 0.3 and 0.4" takes that for what it is, the same as `@nonreentrant` on each function.
# Instead: vyper-guard reads the decorator alone. Below one contract is written in both ways. The compiler makes the same
# bytecode of both, byte for byte, lock included; vyper-guard gives the first "CRITICAL: missing_nonreentrant" and says
# nothing of it about the second. Without either the bytecode is another one, and the report the same as with the pragma.
# Hurt: who follows the compiler's advice to lock whole files. The report is the same whether the lock is there or not,
# so that its most severe line is learned to be ignored; a CI that fails on CRITICAL never passes.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary vyper==0.4.3
python3 -m venv "$here/guard"
"$here/guard/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary vyper-guard==0.7.0
cd "$here"

cat > pragma.vy << 'EOF'
# pragma version 0.4.3
# pragma nonreentrancy on

event Paid:
    amount: uint256

paid: HashMap[address, uint256]


@external
def pay(amount: uint256):
    self.paid[msg.sender] += amount
    raw_call(msg.sender, b"", value=amount)
    log Paid(amount=amount)
EOF
sed '/nonreentrancy on/d' pragma.vy > neither.vy
sed 's/^@external$/@external\n@nonreentrant/' neither.vy > decorator.vy

code() { venv/bin/vyper -f bytecode_runtime "$1.vy" | tail -1; }
criticals() {
    guard/bin/vyper-guard analyze "$1.vy" --format json > "$1.out" || true
    python3 -c '
import json, sys
text = open(sys.argv[1]).read()
found = json.loads(text[text.index("{"):])["findings"]
print(",".join(one["detector"] for one in found if one["severity"] == "CRITICAL") or "none")' "$1.out"
}
for one in decorator pragma neither; do
    echo "$one: code $(code $one | sha256sum | cut -c1-12), critical: $(criticals $one)"
done
[ "$(code pragma)" = "$(code decorator)" ] || { echo "CHANGED: the pragma and the decorator no longer compile alike"; exit 1; }
[ "$(code pragma)" != "$(code neither)" ] || { echo "CHANGED: the pragma makes no lock"; exit 1; }
[ "$(criticals decorator)" = none ] || { echo "CHANGED: the decorator is no longer read"; exit 1; }
[ "$(criticals pragma)" = missing_nonreentrant ] || { echo "CHANGED: the pragma is read now"; exit 1; }
echo "as stated"
