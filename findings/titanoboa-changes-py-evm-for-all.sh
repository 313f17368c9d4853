#!/usr/bin/env bash
# titanoboa 0.2.8 on py-evm 0.12.1b1, beside eth-tester 0.14.0b1 in one process.
#
# A good guess: an environment is a chain of its own. titanoboa's documentation (`boa.Env`, `boa.swap_env`) offers a new
# one for a fresh state, and `env.evm.patch` sets what that environment's blocks and code limits are.
# Instead: both reach into tables that py-evm keeps once for the process.
# 1. Every `boa.Env()` wraps SSTORE and SHA3 in py-evm's own table once more, around the wrappers that are there. They
#    are never taken off: 200 environments later each SSTORE runs through 200 of them, in the newest environment and on
#    a chain of eth-tester that has nothing to do with titanoboa. Environments long out of use note its writes.
# 2. `env.evm.patch.code_size_limit` of one environment lifts the limit of EIP-170 everywhere: after it eth-tester
#    deploys 24,577 bytes, which it refused before and every public chain refuses.
# Hurt: suites with an environment per test (they slow down as they go, many times over), and suites that use both
# libraries and rely on eth-tester to refuse what is too large.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary \
    titanoboa==0.2.8 vyper==0.4.3 eth-tester==0.14.0b1 py-evm==0.12.1b1
cd "$here"

cat > try.py << 'EOF'
import sys
import time
import warnings

warnings.simplefilter("ignore")
import boa
from eth_tester import EthereumTester, PyEVMBackend

SOURCE = """
prices: uint256[48]


@external
def set_prices(price: uint256):
    for i: uint256 in range(48):
        self.prices[i] = price
"""
chain = EthereumTester(PyEVMBackend())
sender = chain.get_accounts()[0]


def send(code):
    sent = chain.send_transaction({"from": sender, "gas": 15_000_000, "data": code})
    return chain.get_transaction_receipt(sent)["status"]


def milliseconds():
    market = boa.loads(SOURCE)
    market.set_prices(1)
    start = time.process_time()
    for price in range(5):
        market.set_prices(price)
    return (time.process_time() - start) / 5 * 1000


def returns(size):  # creation code that deploys so many zero bytes
    return f"0x62{size:06x}5ff3"


first = boa.env
before = milliseconds()
for _ in range(200):
    with boa.swap_env(boa.Env()):
        pass
after = milliseconds()
print(f"titanoboa: 48 writes take {before:.0f} ms, after 200 other environments {after:.0f} ms of processor time")

boa.set_env(boa.Env())
noted = sum(map(len, first.sstore_trace.values()))
send("0x600160025500")  # SSTORE(2, 1) on eth-tester's chain
noted = sum(map(len, first.sstore_trace.values())) - noted
print(f"one SSTORE on eth-tester's chain: the first, unused environment of titanoboa notes {noted} write(s)")

refused = [send(returns(24_576)), send(returns(24_577))]
boa.env.evm.patch.code_size_limit = 2**20
lifted = send(returns(24_577))
print(f"eth-tester: status of 24,576 and 24,577 bytes {refused}; of 24,577 after titanoboa's patch {lifted}")

if after < 3 * before:
    sys.exit("CHANGED: environments of the past cost little or nothing")
if noted != 1:
    sys.exit("CHANGED: titanoboa no longer sees eth-tester's writes")
if refused != [1, 0] or lifted != 1:
    sys.exit("CHANGED: the patched code size limit stays with its environment")
print("as stated")
EOF
venv/bin/python try.py
