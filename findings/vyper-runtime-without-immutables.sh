#!/usr/bin/env bash
# vyper 0.4.3, with eth-tester 0.14.0b1 and py-evm 0.12.1b1 as the chain, and solc 0.8.30 for comparison.
#
# A good guess: `vyper -f bytecode_runtime` ("Bytecode at runtime" in its help), which standard JSON calls
# `evm.deployedBytecode` as solc does, is as long as what is deployed. With solc it is: its documentation of standard
# JSON (`immutableReferences`) says that places for immutables are part of the object. EIP-170 limits that length to
# 24,576 bytes, and vyper has a warning for code that is longer.
# Instead: vyper appends immutables behind the runtime code when it deploys, and neither output has room for them. A
# contract of 64 bytes by the compiler's account has 24,576 on the chain, the most there can be; with one word more the
# compiler still says 64, its warning (which goes by that length) stays away, and the chain refuses the deployment.
# Hurt: tools that report contract sizes, budgets of size in CI, and checks of a deployment that compare the code on
# the chain with the compiler's.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary \
    vyper==0.4.3 eth-tester==0.14.0b1 py-evm==0.12.1b1
cd "$here"
npm install --silent --no-audit --no-fund --ignore-scripts solc@0.8.30 > /dev/null

# Prices of half-hours, fixed at deployment.
for words in 766 767; do
    cat > prices$words.vy << EOF
# pragma version 0.4.3
PRICES: immutable(uint256[$words])


@deploy
def __init__(prices: uint256[$words]):
    PRICES = prices


@external
@view
def price(half_hour: uint256) -> uint256:
    return PRICES[half_hour]
EOF
done
cat > solidity.js << 'EOF'
const solc = require("solc");
const word = "contract C { uint256 immutable A; constructor(uint256 a) { A = a; } " +
    "function f() public view returns (uint256) { return A; } }";
const out = JSON.parse(solc.compile(JSON.stringify({language: "Solidity", sources: {"c.sol": {content: word}},
    settings: {outputSelection: {"*": {"*": ["evm.bytecode.object", "evm.deployedBytecode.object"]}}}})));
const evm = out.contracts["c.sol"].C.evm;
console.log(JSON.stringify([evm.bytecode.object, evm.deployedBytecode.object]));
EOF
node solidity.js > solidity.json 2> /dev/null

cat > try.py << 'EOF'
import json
import subprocess
import sys
import warnings

warnings.simplefilter("ignore")
from eth_tester import EthereumTester, PyEVMBackend

chain = EthereumTester(PyEVMBackend())
sender = chain.get_accounts()[0]


def deploy(code):
    sent = chain.send_transaction({"from": sender, "gas": 15_000_000, "data": code})
    receipt = chain.get_transaction_receipt(sent)
    return receipt["status"], (len(chain.get_code(receipt["contract_address"])) - 2) // 2 if receipt["status"] else None


def vyper(*options):
    ran = subprocess.run(["venv/bin/vyper", *options], capture_output=True, text=True, check=True)
    return ran.stdout.strip(), "warning" in ran.stderr.lower() and "size" in ran.stderr.lower()


seen = {}
for words in 766, 767:
    (both, warned) = vyper("-f", "bytecode,bytecode_runtime", f"prices{words}.vy")
    creation, runtime = both.split()
    by_compiler = (len(runtime) - 2) // 2
    status, deployed = deploy(creation + "00" * 32 * words)
    seen[words] = (by_compiler, warned, status, deployed)
    outcome = f"on the chain {deployed} bytes" if status else "the chain refuses the deployment"
    print(f"vyper, {words} immutable words: bytecode_runtime {by_compiler} bytes, size warning: {warned}; {outcome}")

source = open("prices766.vy").read()
request = {"language": "Vyper", "sources": {"p.vy": {"content": source}},
           "settings": {"outputSelection": {"p.vy": ["evm.deployedBytecode"]}}}
with open("request.json", "w") as file:
    json.dump(request, file)
answer = json.loads(vyper("--standard-json", "request.json")[0])
[contract] = answer["contracts"]["p.vy"].values()
standard = len(contract["evm"]["deployedBytecode"]["object"].removeprefix("0x")) // 2
print(f"vyper, 766 immutable words: evm.deployedBytecode in standard JSON {standard} bytes")

creation, runtime = json.load(open("solidity.json"))
status, deployed = deploy("0x" + creation + "00" * 32)
print(f"solc, one immutable: evm.deployedBytecode {len(runtime) // 2} bytes; on the chain {deployed} bytes")

if len(runtime) // 2 != deployed:
    sys.exit("CHANGED: solc's figure is not what is on the chain either")
if seen != {766: (64, False, 1, 24576), 767: (64, False, 0, None)} or standard != 64:
    sys.exit("CHANGED: vyper counts the immutables, or warns of them")
print("as stated")
EOF
venv/bin/python try.py
