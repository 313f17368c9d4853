#!/usr/bin/env bash
# anvil 1.7.1 (npm), Node.js for npm.
#
# A good guess: `debug_traceBlockByHash` with the callTracer takes about as long as the block's transactions together,
# and twice as many take twice as long. `trace_block` of the same node tells the same calls of the same block.
# Instead: twice as many transactions take four times as long. A block of 160 plain payments takes seconds, where
# `trace_block` takes milliseconds: each transaction is traced by playing all those before it once more.
# Hurt: indexers, watchers and debuggers that are tested on anvil with full blocks and read calls by the geth method:
# they fall behind or run into their time limits, on a development node alone.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
npm install --silent --no-audit --no-fund --ignore-scripts @foundry-rs/anvil-linux-amd64@1.7.1 > /dev/null

cat > try.py << 'EOF'
import json
import socket
import subprocess
import sys
import time
import urllib.request

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
anvil = "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
node = subprocess.Popen([anvil, "--port", str(port), "--no-mining", "--accounts", "1"], stdout=subprocess.DEVNULL)


def ask(method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.loads(answer.read())["result"]


def timed(method, *params):
    begun = time.perf_counter()
    found = ask(method, *params)
    return time.perf_counter() - begun, found


try:
    for _ in range(100):
        try:
            ask("eth_chainId")
            break
        except OSError:
            time.sleep(0.1)
    (payer,) = ask("eth_accounts")
    slow, fast = {}, {}
    for count in 40, 80, 160:
        for payee in range(count):
            ask("eth_sendTransaction", {"from": payer, "to": f"0x{4096 + payee:040x}", "value": "0x1", "gas": "0x5208"})
        ask("evm_mine")
        block = ask("eth_getBlockByNumber", "latest", False)
        fast[count], flat = timed("trace_block", block["number"])
        slow[count], nested = timed("debug_traceBlockByHash", block["hash"], {"tracer": "callTracer"})
        payees = [trace["action"]["to"] for trace in flat]
        if len(payees) != count or payees != [trace["result"]["to"] for trace in nested]:
            sys.exit("CHANGED: the two methods do not tell the same calls")
        print(f"{count:4} payments: trace_block {fast[count]:.3f} s, debug_traceBlockByHash {slow[count]:.2f} s")
finally:
    node.kill()

growth = slow[160] / slow[40]
print(f"four times as many: {growth:.0f} times as long")
if growth < 8 or slow[160] < 50 * fast[160]:
    sys.exit("CHANGED: a block's traces take as long as its transactions")
print("as stated")
EOF
python3 try.py
