#!/usr/bin/env bash
# pyrevm 0.3.7 (revm for Python), with code that vyper 0.4.3 makes for one fork.
#
# A good guess: `EVM(spec_id=...)` takes the names of the forks in capitals: the type stub of the package gives
# "SHANGHAI" as its default. A fork refuses what a later one brought: PUSH0 came with Shanghai (EIP-3855), MCOPY
# with Cancun (EIP-5656). A name that it does not know is an error.
# Instead: only the spelling "London", "Shanghai" ... sets the fork. "LONDON", "london", "SHANGHAI", the "PARIS" and
# "paris" of Vyper and Solidity, and any other text mean the latest rules, without a word. The stub's default does not
# hold either: `EVM()` runs MCOPY.
# Hurt: who asks with it whether a contract runs on a chain of an older fork. With the usual capitals the answer is yes.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary pyrevm==0.3.7 vyper==0.4.3
cd "$here"

cat > count.vy << 'EOF'
# pragma version 0.4.3
@external
@view
def quotes() -> uint256:
    return 48
EOF
cat > try.py << 'EOF'
import subprocess
import sys

from pyrevm import EVM, AccountInfo

CALLER, CONTRACT = "0x" + "11" * 20, "0x" + "22" * 20
vyper = ["venv/bin/vyper", "--evm-version", "cancun", "-f", "bytecode_runtime,method_identifiers", "count.vy"]
compiled = subprocess.run(vyper, capture_output=True, text=True, check=True).stdout.split()
market = bytes.fromhex(compiled[0][2:])  # Cancun's: it holds PUSH0
quotes = bytes.fromhex(compiled[2].strip('"{},')[2:])
mcopy = bytes.fromhex("6000600060005e00")


def runs(fork, code, data=b""):
    evm = EVM() if fork is None else EVM(spec_id=fork)
    evm.set_balance(CALLER, 10**18)
    evm.insert_account_info(CONTRACT, AccountInfo(code=code))
    try:
        evm.message_call(CALLER, CONTRACT, calldata=data)
    except RuntimeError as error:
        return "refused" if "NotActivated" in str(error) else str(error)
    return "runs"


seen = {}
for fork in "London", "LONDON", "london", "PARIS", "Shanghai", "SHANGHAI", "shanghai", "no such fork", None:
    seen[fork] = (runs(fork, market, quotes), runs(fork, mcopy))
    print(f"spec_id={fork!r}:".ljust(26), "vyper's code for cancun {}, MCOPY {}".format(*seen[fork]))

if seen.pop("London") != ("refused", "refused") or seen.pop("Shanghai") != ("runs", "refused"):
    sys.exit("CHANGED: the names that set a fork are others")
if set(seen.values()) != {("runs", "runs")}:
    sys.exit("CHANGED: another spelling sets the fork, or is refused")
print("as stated")
EOF
venv/bin/python try.py
