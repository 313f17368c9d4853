"""revm against the reference py-evm: the same calls must give the same answers, logs, refusals and state."""

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boa
import eth.exceptions
import pytest
from boa.contracts.vyper.vyper_contract import VyperContract
from boa.environment import Env
from boa.util.abi import Address
from eth_account import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wattproof.evm.engine as engines
import wattproof.evm.revm as revm_module
from wattproof.evm.engine import (
    ENGINES,
    EngineUnavailable,
    EngineUnsupported,
    engine,
    lean_reverts,
    make_env,
    state_digest,
    storage_dump,
)

CONTRACTS = Path(__file__).parent / "contracts"
START = 1_700_000_000
KEY = "0x" + "5e" * 32
DIGEST = bytes(range(32))
REFUSING = "@deploy\ndef __init__():\n    raise 'constructor: no'"

needs_revm = pytest.mark.skipif(
    "revm" not in engines.available(), reason="pyrevm is not installed: pip install 'wattproof[fast]'"
)


load: Any = boa.load
loads: Any = boa.loads
"""Contracts whose functions no type knows."""


def deploy(env):
    """The contracts under test, on one engine."""
    env.timestamp = START
    stage = SimpleNamespace(env=env)
    stage.vault = load(str(CONTRACTS / "Vault.vy"), "hello")
    stage.token = load(str(CONTRACTS / "Token.vy"))
    stage.caller = load(str(CONTRACTS / "Caller.vy"))
    stage.holder = env.generate_address("holder")
    stage.stranger = env.generate_address("stranger")
    stage.token.mint(stage.vault, 10_000)
    stage.token.mint(stage.holder, 10_000)
    env.set_balance(stage.holder, 10**18)
    stage.accounts = [
        env.eoa,
        stage.holder,
        stage.stranger,
        stage.vault.address,
        stage.token.address,
        stage.caller.address,
    ]
    return stage


def per_engine(name):
    if name == "revm" and "revm" not in engines.available():
        pytest.skip("pyrevm is not installed: pip install 'wattproof[fast]'")
    return engine(name)


@pytest.fixture(scope="module", params=ENGINES)
def shared_stage(request):
    with per_engine(request.param) as env:
        yield deploy(env)


@pytest.fixture
def stage(shared_stage):
    # the environment of this stage, whatever else the session runs on
    with boa.swap_env(shared_stage.env), shared_stage.env.anchor():
        yield shared_stage


@pytest.fixture(scope="module")
def stages():
    result = []
    for name in ENGINES:
        with per_engine(name) as env:
            result.append(deploy(env))
    return result


# --- the same calls on both engines ---------------------------------------------------------------

who = st.integers(0, 5)
small = st.integers(0, 3)
amount = st.one_of(st.integers(0, 1100), st.sampled_from([0, 999, 1000, 10_000, 10_001, 2**255, 2**256 - 1]))
value = st.sampled_from([0, 0, 0, 1, 10**17, 10**19])
# plenty or next to none: which slots are warm differs (on revm, also those that the test has read)
gas = st.sampled_from([None, None, None, None, 10**6, 0, 50])
entry = st.tuples(small, amount, st.sampled_from(["", "x", "a label of some length, across two words"]))


# the sum of all ether stays below 2**256
ether = st.one_of(st.integers(0, 1100), st.sampled_from([10**17, 10**19, 2**200]))
nothing = st.just(0)


def call(name, function, *arguments, sent=nothing, sender=who):
    return st.tuples(st.just("call"), st.just((name, function)), st.tuples(*arguments), sender, sent, gas)


calls = st.one_of(
    call("vault", "store", small, amount),
    call("vault", "nested", small, amount),
    call("vault", "swallow", small, amount),
    call("vault", "locked"),
    call("vault", "reenter"),
    call("vault", "append", entry),
    call("vault", "pop"),
    call("vault", "fail", st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8])),
    call("vault", "peek", small),
    call("vault", "peek_outside", small),
    call("vault", "recover", st.just(DIGEST), st.integers(26, 29), st.integers(0, 2**256 - 1), amount),
    call("vault", "world"),
    call("vault", "code_of", who, sender=nothing),  # a contract that sends shows no code hash on revm
    call("vault", "gas"),
    call("vault", "pay", sent=value),
    call("vault", "store", small, amount, sent=value),
    call("vault", "send_on", who, amount),
    call("vault", "move", st.just("token"), who, amount),
    call("caller", "ask", sent=value),
    call("token", "transfer", who, amount),
    call("token", "transferFrom", who, who, amount),
    call("token", "approve", who, amount),
    call("token", "burn", amount),
    call("token", "mint", who, amount),
    call("token", "balanceOf", who),
)
data = st.one_of(
    st.sampled_from([b"", b"\x00", b"\xff" * 4, bytes.fromhex("a9059cbb"), bytes(2000)]),
    st.binary(max_size=80),
)
worlds = st.one_of(
    st.tuples(st.just("raw"), who, data, who, value, gas, st.booleans()),
    st.tuples(st.just("travel"), st.integers(0, 10**6)),
    st.tuples(st.just("patch"), st.sampled_from(["timestamp", "block_number"]), st.integers(0, 2**64)),
    st.tuples(st.just("patch"), st.just("prevrandao"), st.binary(min_size=32, max_size=32)),
    st.tuples(st.just("patch"), st.just("chain_id"), st.integers(1, 3)),
    st.tuples(st.just("balance"), who, ether),
    st.tuples(st.just("storage"), who, small, amount),
    st.tuples(st.just("code"), who, st.sampled_from([b"", b"\x5f\x5f\xfd", b"\x5f\x5f\xf3"])),
    st.tuples(st.just("deploy"), st.booleans(), who, value),
)
steps = st.recursive(
    st.one_of(calls, calls, calls, worlds),
    lambda children: st.tuples(st.just("anchor"), st.lists(children, max_size=8)),
    max_leaves=12,
)


def outcome(stage, computation):
    logs = [(address, topics, bytes(text)) for address, topics, text in computation.get_log_entries()]
    error = None
    if computation.is_error:
        error = type(computation.error).__name__
        if error == "Revert":
            error = ("Revert", computation.error.args[0])
    return computation.output, error, logs


def perform(stage, step):
    """One step on one engine; what it showed."""
    env, kind = stage.env, step[0]
    try:
        if kind == "call":
            _, (contract, function), arguments, sender, sent, limit = step
            contract = getattr(stage, contract)
            method = getattr(contract, function)
            kinds = [argument.typ.abi_type.selector_name() for argument in method.func_t.arguments]
            arguments = [
                stage.token.address if x == "token" else stage.accounts[x] if t == "address" else x
                for t, x in zip(kinds, arguments, strict=True)
            ]
            shown = None
            with contextlib.suppress(boa.BoaError):
                shown = method(*arguments, sender=stage.accounts[sender], value=sent, gas=limit)
            return shown, [str(log) for log in contract.get_logs()], outcome(stage, contract._computation)
        if kind == "raw":
            _, to, sent_data, sender, sent, limit, modifying = step
            return outcome(
                stage,
                env.execute_code(
                    to_address=stage.accounts[to],
                    sender=stage.accounts[sender],
                    data=sent_data,
                    value=sent if modifying else 0,
                    gas=limit,
                    is_modifying=modifying,
                ),
            )
        if kind == "travel":
            env.time_travel(step[1])
        elif kind == "patch":
            setattr(env.evm.patch, step[1], step[2])
        elif kind == "balance":
            env.set_balance(stage.accounts[step[1]], step[2])
        elif kind == "storage":
            env.set_storage(stage.accounts[step[1]], step[2], step[3])
        elif kind == "code":
            # on the two plain accounts only: the contracts must stay what they are
            env.set_code(stage.accounts[1 + step[1] % 2], step[2])
        elif kind == "deploy":
            code = bytes.fromhex("600460005500" if step[1] else "60006000fd")
            address, computation = env.deploy(bytecode=code, sender=stage.accounts[step[2]], value=step[3])
            return address, outcome(stage, computation), env.get_balance(address), storage_dump(env, address)
        elif kind == "anchor":
            before = picture(stage)
            with env.anchor():
                inner = [perform(stage, child) for child in step[1]]
                after = picture(stage)
            assert picture(stage) == before
            return inner, after
    except eth.exceptions.InsufficientFunds:
        return "insufficient funds"
    return None


def picture(stage):
    env = stage.env
    patch = env.evm.patch
    return (
        [(a, env.get_balance(a), env.get_code(a), storage_dump(env, a)) for a in stage.accounts],
        [state_digest(env, a) for a in stage.accounts],
        (patch.timestamp, patch.block_number, patch.prevrandao, patch.chain_id),
    )


@settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(steps, min_size=1, max_size=12))
def test_engines_agree_on_random_histories(stages, history):
    seen, pictures = [], []
    for stage in stages:
        with stage.env.anchor():
            seen.append([perform(stage, step) for step in history])
            pictures.append(picture(stage))
    assert seen[0] == seen[1]
    assert pictures[0] == pictures[1]


def test_deployments_agree(stages):
    reference, other = stages
    assert reference.accounts == other.accounts
    assert picture(reference) == picture(other)
    for name in ("vault", "token", "caller"):
        assert getattr(reference, name).bytecode == getattr(other, name).bytecode


def test_addresses_agree_after_refused_deployments(stages):
    made = []
    for stage in stages:
        env = stage.env
        with env.anchor():
            for sender in (stage.stranger, stage.caller.address):
                with pytest.raises(eth.exceptions.InsufficientFunds):
                    env.deploy(bytecode=b"", sender=sender, value=1)
                refused = env.deploy(bytecode=bytes.fromhex("60006000fd"), sender=sender)
                assert refused[1].is_error
                made.append((refused[0], env.deploy(bytecode=b"", sender=sender)[0]))
    assert made[:2] == made[2:] and len({address for pair in made for address in pair}) == 4


# --- one behaviour at a time, on each engine ------------------------------------------------------


def test_reasons_and_reverts(stage):
    vault = stage.vault
    for how in (0, 3):
        with boa.reverts("vault: asked to"):
            vault.fail(how)
    with boa.reverts(vm_error="vault: asked to"):
        vault.fail(0)
    with pytest.raises(ValueError, match="does not match"), boa.reverts("vault: something else"):
        vault.fail(0)
    with pytest.raises(ValueError, match="Did not revert"), boa.reverts():
        vault.locked()
    with boa.reverts():
        vault.reenter()
    vault.locked()  # the lock was given back
    with pytest.raises(boa.BoaError) as failure:
        vault.fail(0)
    assert "Vault.fail" in str(failure.value) and "vault: asked to" in str(failure.value)


def test_events_of_interface_and_module_are_decoded(stage):
    stage.vault.store(7, 9, sender=stage.holder)
    stored, counted = stage.vault.get_logs()
    assert (type(stored).__name__, stored.who, stored.key, stored.amount) == ("Stored", stage.holder, 7, 9)
    assert (type(counted).__name__, counted.count, counted.note) == ("Counted", 1, "stored")
    stage.vault.move(stage.token, stage.stranger, 5)
    (transfer,) = stage.vault.get_logs()
    assert (transfer.address, transfer.value) == (stage.token.address, 5)
    assert stage.vault.get_logs(include_child_logs=False) == []
    with boa.reverts():
        stage.vault.fail(0)
    assert stage.vault.get_logs() == []


def test_unknown_selectors_short_calldata_and_plain_ether(stage):
    env, vault = stage.env, stage.vault
    refused = env.execute_code(to_address=vault.address, data=b"\xde\xad\xbe\xef")
    assert refused.is_error and not refused.is_success
    with pytest.raises(eth.exceptions.Revert):
        env.raw_call(vault.address, data=b"\xde\xad\xbe\xef")
    assert env.execute_code(to_address=stage.token.address, data=b"\xde\xad").is_error
    env.raw_call(vault.address, sender=stage.holder, value=3)
    assert env.get_balance(vault.address) == 3
    with pytest.raises(eth.exceptions.InsufficientFunds):
        env.raw_call(vault.address, sender=stage.stranger, value=1)


def test_a_view_call_changes_nothing_even_if_the_code_would(stage):
    env, vault = stage.env, stage.vault
    before = state_digest(env, vault)
    for name, arguments in (("store", (1, 2)), ("locked", ())):
        written = env.execute_code(
            to_address=vault.address,
            data=getattr(vault, name).prepare_calldata(*arguments),
            is_modifying=False,
        )
        assert isinstance(written.error, eth.exceptions.WriteProtection)
    assert state_digest(env, vault) == before
    assert vault.store(1, 2, simulate=True) == 4
    assert state_digest(env, vault) == before
    vault.store(1, 2)
    assert state_digest(env, vault) != before


def test_anchor_takes_everything_back(stage):
    env, vault = stage.env, stage.vault
    stranger, fresh = stage.stranger, env.generate_address()
    before = picture(stage)
    with env.anchor():
        env.set_balance(stranger, 10**20)
        with env.anchor():
            vault.pay(value=10**19, sender=stranger)
            env.set_balance(stranger, 3)
            env.set_balance(vault.address, 1)
            env.set_balance(fresh, 77)
            vault.pay(value=2, sender=stranger)
            env.set_code(fresh, vault.bytecode)
            env.set_code(stage.caller.address, b"\x00")
            env.set_storage(vault.address, 0, 12345)
            env.evm.patch.chain_id = 5
            env.time_travel(seconds=120)
            assert vault.world()[1] == START + 120 and vault.world()[4] == 5
            with env.anchor():
                vault.store(1, 2)
                env.evm.patch.chain_id = 6
                assert vault.world()[4] == 6
            assert vault.world()[4] == 5 and vault.peek(1) == 0
            assert env.get_balance(stranger) == 1 and env.get_balance(vault.address) == 3
            assert env.get_balance(fresh) == 77
            assert env.get_code(fresh) == vault.bytecode
        assert env.get_balance(stranger) == 10**20
        assert env.get_balance(fresh) == 0 and env.get_code(fresh) == b""
        assert vault.world()[4] == 1
    assert picture(stage) == before
    assert vault.count() == 0


def test_block_and_chain(stage):
    env, vault, patch = stage.env, stage.vault, stage.env.evm.patch
    coinbase = env.generate_address()
    patch.coinbase = coinbase.canonical_address
    patch.prevrandao = DIGEST
    patch.block_number = 99
    env.timestamp = START + 5
    env.time_travel(blocks=2)
    assert (patch.timestamp, env.timestamp, patch.block_number) == (START + 29, START + 29, 101)
    number, timestamp, miner, random, chain, origin, sender, balance, size = vault.world(sender=stage.holder)
    assert (number, timestamp, miner, random, chain) == (101, START + 29, coinbase, DIGEST, 1)
    assert (origin, sender, balance, size) == (stage.holder, stage.holder, 0, 4)
    with env.prank(stage.stranger):
        assert vault.world()[6] == stage.stranger
    assert vault.world()[6] == env.eoa == vault.OWNER()


def test_ecrecover(stage):
    signer = Account.from_key(KEY)
    signed = signer.unsafe_sign_hash(DIGEST)
    assert stage.vault.recover(DIGEST, signed.v, signed.r, signed.s) == signer.address
    assert stage.vault.recover(DIGEST, 26, signed.r, signed.s) == Address("0x" + "00" * 20)


def test_a_contract_as_sender_can_be_called_back(stage):
    env, caller = stage.env, stage.caller
    other = load(str(CONTRACTS / "Caller.vy"))
    code = env.get_code(other.address)
    env.set_balance(other.address, 10)
    assert caller.ask(sender=other.address) == 42
    assert caller.ask(sender=other.address, value=4) == 42
    assert env.get_balance(other.address) == 6 and caller.called() == 2
    assert env.get_code(other.address) == code and other.answer() == 42
    assert stage.vault.code_of(other.address)[0] == len(code)
    made = load(str(CONTRACTS / "Caller.vy"))
    with env.prank(other.address):
        assert load(str(CONTRACTS / "Caller.vy")).address != made.address


def test_gas(stage):
    env, vault = stage.env, stage.vault
    assert vault.gas(gas=50_000) > 49_000
    with pytest.raises(boa.BoaError):
        vault.store(1, 2, gas=20_000)
    assert isinstance(vault._computation.error, eth.exceptions.OutOfGas)
    assert vault._computation.get_gas_used() == 20_000
    used = env.get_gas_used()
    vault.locked()
    assert env.get_gas_used() == used + vault._computation.get_gas_used()
    env.evm.patch.gas_limit = 1_000_000
    with boa.reverts():
        vault.fail(7)  # runs until the gas is gone
    assert vault._computation.get_gas_used() == 1_000_000


def test_deploying_elsewhere_too_large_or_as_blueprint(stage):
    env = stage.env
    there = env.generate_address()
    vault = load(str(CONTRACTS / "Vault.vy"), "there", override_address=there)
    assert (vault.address, vault.label(), vault.OWNER()) == (there, "there", env.eoa)
    assert vault.deployer.at(there).label() == "there"
    with pytest.raises(boa.BoaError):
        loads(REFUSING, override_address=env.generate_address())
    with pytest.raises(boa.BoaError, match="constructor: no"):
        loads(REFUSING)
    large = bytes.fromhex("6160006000f3")  # returns 24,576 zero bytes: the limit
    assert not env.deploy(bytecode=large)[1].is_error
    too_large = bytes.fromhex("6160016000f3")
    assert env.deploy(bytecode=too_large)[1].is_error
    with env.anchor():
        env.evm.patch.code_size_limit = 30_000
        address, computation = env.deploy(bytecode=too_large)
        assert not computation.is_error and env.get_code(address) == bytes(24_577)
    assert env.deploy(bytecode=too_large)[1].is_error
    assert boa.loads_partial("x: uint256").deploy_as_blueprint().bytecode[:3] == b"\xfe\x71\x00"


def test_eval_internal_and_storage_access(stage):
    vault, before = stage.vault, stage.env.get_code(stage.vault.address)
    vault.locked()
    assert vault.eval("self.signed") == -3
    with boa.reverts():
        vault.internal.count_down(1)
    vault.internal.count_down(3)
    assert vault._storage.signed.get() == -3
    assert stage.env.get_code(vault.address) == before
    assert "Vault" in repr(vault)


def test_state_digest_is_equal_exactly_when_storage_is(stage):
    env, vault = stage.env, stage.vault
    first = state_digest(env, vault)
    vault.locked()
    second = state_digest(env, vault.address)
    env.set_storage(vault.address, 2**256 - 1, 1)
    third = state_digest(env, vault)
    assert len({first, second, third}) == 3 and len(first) == 32
    env.set_storage(vault.address, 2**256 - 1, 0)
    assert state_digest(env, vault) == second
    dump = storage_dump(env, vault)
    assert all(env.get_storage(vault.address, slot) == value for slot, value in dump.items())
    slot = next(slot for slot, value in dump.items() if value == 2**256 - 3)
    env.set_storage(vault.address, slot, 0)
    assert state_digest(env, vault) == first
    assert state_digest(env, stage.stranger) == state_digest(env, env.generate_address())
    vault.store(2**200, 900)
    fourth = state_digest(env, vault)
    with boa.reverts("vault: too much"):
        vault.nested(3, 999)  # the second of its two inner calls is refused
    assert state_digest(env, vault) == fourth


# --- what is revm's alone -------------------------------------------------------------------------


@needs_revm
def test_transient_storage_does_not_outlive_a_call():
    with engine("revm"):
        contract = loads(
            "t: transient(uint256)\n"
            "@external\ndef put(): self.t = 5\n"
            "@external\n@view\ndef get() -> uint256: return self.t\n"
        )
        contract.put()
        assert contract.get() == 0


@needs_revm
def test_ten_thousand_anchors_and_calls_leave_no_depth():
    with engine("revm") as env:
        stage = deploy(env)
        for _ in range(3_000):
            with env.anchor():
                stage.vault.locked()
        snapshots = [env.evm.snapshot() for _ in range(5)]
        env.evm.revert(snapshots[0])  # the four above it go with it
        with pytest.raises(ValueError):
            env.evm.revert(snapshots[3])
        assert cast(Any, env.evm)._revm.journal_depth == 0 and stage.vault.signed() == 0


@needs_revm
@pytest.mark.parametrize(
    "attempt",
    [
        lambda env, stage: boa.deal(stage.token, stage.stranger, 5),
        lambda env, stage: env.fork("http://localhost:1", deprecated=False),
        lambda env, stage: env.enable_gas_profiling(),
        lambda env, stage: setattr(env.evm.patch, "prev_hashes", [bytes(32)]),
        lambda env, stage: env.execute_code(to_address=stage.vault.address, start_pc=3),
        lambda env, stage: env.evm.vm,
    ],
)
def test_what_revm_cannot_do_says_so(attempt):
    with engine("revm") as env:
        stage = deploy(env)
        with pytest.raises(EngineUnsupported, match="pyevm"):
            attempt(env, stage)


# --- engine.py ------------------------------------------------------------------------------------


def test_engine_restores_the_environment_before_it():
    before, state = boa.env, state_digest(boa.env, boa.env.eoa)
    traces = {address: set(slots) for address, slots in before.sstore_trace.items()}
    upcoming = before._random.getstate()
    for name in engines.available():
        with pytest.raises(ZeroDivisionError), engine(name) as env:
            assert boa.env is env and env is not before
            deploy(env).vault.store(1, 2)
            raise ZeroDivisionError
        assert boa.env is before and Env._singleton is before
    assert before._random.getstate() == upcoming
    assert before.sstore_trace == traces and state_digest(before, before.eoa) == state


def test_unknown_and_missing_engines_say_so_in_one_line(monkeypatch):
    with pytest.raises(EngineUnavailable, match="pyevm, revm"):
        make_env("geth")
    monkeypatch.setattr(revm_module, "pyrevm", None)
    assert engines.available() == ("pyevm",)
    with pytest.raises(EngineUnavailable) as missing:
        make_env("revm")
    assert str(missing.value) == revm_module.missing()


@pytest.mark.parametrize(
    ("python", "says"), [((3, 12, 9), "pip install 'wattproof[fast]'"), ((3, 13), "3.11 and 3.12")]
)
def test_a_missing_engine_is_installed_where_it_can_be(python, says):
    """Not told to install what has no wheel for this Python."""
    text = revm_module.missing(python)
    assert says in text and "py-evm" in text and "\n" not in text


def test_lean_reverts_shortens_and_restores():
    before = VyperContract.__repr__
    with engine("pyevm"):
        contract = loads("x: public(uint256)\n@external\ndef no():\n    raise 'no'")
        with lean_reverts():
            assert "storage" not in repr(contract)
            with boa.reverts("no"):
                contract.no()
        assert VyperContract.__repr__ is before and "storage" in repr(contract)


def test_forked_or_flushed_storage_is_not_listed():
    with engine("pyevm") as env:
        contract = loads("x: public(uint256)\n@deploy\ndef __init__():\n    self.x = 3")
        assert storage_dump(env, contract) == {0: 3}
        env.evm.vm.state.lock_changes()
        assert storage_dump(env, contract) == {0: 3}
        env.evm.vm.state._account_db.make_state_root()
        with pytest.raises(EngineUnsupported, match="flushed"):
            storage_dump(env, contract)


def test_the_rate_command(monkeypatch, capsys):
    original = engines.rates
    monkeypatch.setattr(engines, "rates", lambda name: original(name, seconds=0.01))
    assert engines.main(["--rate"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("pyevm ") and line.endswith("a second") for line in lines) == 4
    assert any(line.startswith("revm") for line in lines)
    assert engines.main([]) == 0
