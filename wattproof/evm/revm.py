"""titanoboa on revm: `RevmEnv`, a `boa.Env` that executes on pyrevm instead of py-evm.

Tests and scenarios run unchanged (`boa.load`, `sender=`, `get_logs`, `boa.reverts("reason")`, `anchor`,
`time_travel`), an order of magnitude faster. py-evm stays the default and the reference. What differs here:

- No traces: no call tree, source line, local variables, coverage or profile. `boa.reverts` knows reasons
  (`boa.reverts("...")`, `vm_error=`), not `compiler=` or `# dev:` comments. Replay on py-evm for those.
- No SHA3 preimages: `contract._storage.some_map.get()` is empty; `engine.storage_dump` sees every slot.
- `boa.deal`, `boa.fork`, Python precompiles (`console.log` too) and the automatic registration of contracts
  made by `create_from_blueprint` are py-evm only. `get_logs(include_child_logs=False)` goes by the address.
- Transient storage is empty when a call starts, as on a chain; titanoboa on py-evm keeps it between calls.
- `block.basefee` reads 0, `block.gaslimit` 2**64 - 1, and `blockhash` cannot be patched.
- Gas figures exclude the 21,000 of a transaction, as on py-evm, but another set of slots may be warm.
- Eval, internal and injected functions swap the code at the address for the length of the call, so a callback
  into that contract meets the swapped code. A sender that is a contract shows an empty `codehash` meanwhile.
- pyrevm 0.3.7 knows the rules up to Cancun (transient storage, MCOPY); "PRAGUE" is its "latest I know".
"""

import contextlib
import hashlib
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import eth.constants as constants
import eth.exceptions as eth_errors
from boa.contracts.call_trace import TraceFrame, TraceSource
from boa.environment import Env
from boa.util.abi import Address, abi_decode
from boa.vm.gas_meters import GasMeter, NoGasMeter
from eth._utils.address import generate_contract_address
from eth_utils.crypto import keccak

pyrevm: Any
try:
    import pyrevm
except ImportError:  # the optional extra: reported when an environment is asked for, not at import
    pyrevm = None

GAS_LIMIT = 200_000_000  # gas of a call that names none: what titanoboa's py-evm environment gives
_MAX_GAS = 2**64 - 1
_EMPTY_HASH = keccak(b"")
_ERROR_STRING = bytes.fromhex("08c379a0")  # selector of Error(string)
_MINT = Address("0x" + hashlib.sha256(b"wattproof: source and sink of balances").hexdigest()[:40])

# revm's reasons to halt, as py-evm's exceptions
_HALTS = {
    "OutOfGas": eth_errors.OutOfGas,
    "OpcodeNotFound": eth_errors.InvalidInstruction,
    "InvalidFEOpcode": eth_errors.InvalidInstruction,
    "NotActivated": eth_errors.InvalidInstruction,
    "InvalidJump": eth_errors.InvalidJumpDestination,
    "StackUnderflow": eth_errors.InsufficientStack,
    "StackOverflow": eth_errors.FullStack,
    "OutOfOffset": eth_errors.OutOfBoundsRead,
    "CreateCollision": eth_errors.ContractCreationCollision,
    "CreateContractSizeLimit": eth_errors.OutOfGas,  # py-evm reports EIP-170 so
    "CreateContractStartingWithEF": eth_errors.ReservedBytesInCode,
    "StateChangeDuringStaticCall": eth_errors.WriteProtection,
    "CallNotAllowedInsideStatic": eth_errors.WriteProtection,
    "OutOfFund": eth_errors.InsufficientFunds,
    "CallTooDeep": eth_errors.StackDepthLimit,
}
_HALT_REASON = re.compile(r"Halt \{ reason: (\w+)")
_ACCOUNT = re.compile(r"(0x[0-9a-f]{40}): Account \{ .*?, storage: \{(.*?)\}, status: ", re.S)
_SLOT = re.compile(r"(\d+): StorageSlot \{ previous_or_original_value: \d+, present_value: (\d+) \}")


class EngineUnavailable(RuntimeError):
    """The engine does not exist or is not installed; the message is one line that says what to do."""


def missing(python: tuple[int, ...] = sys.version_info[:2]) -> str:
    """What to do where pyrevm is not installed: on later Pythons than 3.12 the extra `fast` installs nothing."""
    if python >= (3, 13):
        return "the engine revm needs pyrevm, made for Python 3.11 and 3.12: use one of them, or the default, py-evm"
    return "the engine revm needs pyrevm: pip install 'wattproof[fast]' (py-evm is default and reference)"


class EngineUnsupported(NotImplementedError):
    """What was asked for exists on py-evm only."""


class _Source(TraceSource):
    """Names the called function in the one-line call tree of an error; revm gives no source positions."""

    def __init__(self, contract: Any, method_id: bytes) -> None:
        self.contract = contract
        self.method_id = method_id

    def __str__(self) -> str:
        return self.contract.contract_name

    def format(self, input_: bytes, output: bytes, is_error: bool) -> str:
        name, arguments, returned = "0x" + self.method_id.hex(), "0x" + input_.hex(), "0x" + output.hex()
        selector = int.from_bytes(self.method_id, "big")
        compiler_data = getattr(self.contract, "compiler_data", None)
        for function in compiler_data.global_ctx.exposed_functions if compiler_data is not None else ():
            for schema, method_id in function.method_ids.items():
                if method_id == selector:
                    name = function.name
                    with contextlib.suppress(Exception):  # calldata may be as short or dirty as a test wants
                        arguments = repr(abi_decode(schema[len(name) :], input_))
        if is_error:
            with contextlib.suppress(Exception):
                returned = self._format_error(output)
            return f"{self}.{name} {arguments} <{returned}>"
        return f"{self}.{name} {arguments} => {returned}"


@dataclass(eq=False)
class RevmComputation:
    """What titanoboa reads of a py-evm computation, for one message executed by revm.

    Gas is that of the message: the cost of a transaction and its calldata, which revm adds, is taken off.
    """

    env: "RevmEnv"
    sender: Address
    to: Address
    value: int
    data: bytes
    is_create: bool
    output: bytes
    error: Exception | None
    _gas_used: int
    _result: Any

    _gas_meter_class: ClassVar = GasMeter
    beneficiaries: ClassVar = ()
    children: ClassVar = ()
    code: ClassVar = SimpleNamespace(_trace=())

    def __post_init__(self) -> None:
        self.is_error = self.error is not None
        if self.is_error and self.output[:4] == _ERROR_STRING:
            # titanoboa asks with hasattr
            self.vyper_error_msg = "user revert with reason"

    @property
    def is_success(self) -> bool:
        return not self.is_error

    @property
    def msg(self) -> Any:
        to = self.to.canonical_address
        return SimpleNamespace(
            sender=self.sender.canonical_address,
            to=b"" if self.is_create else to,
            code_address=b"" if self.is_create else to,
            storage_address=to,
            value=self.value,
            data=b"" if self.is_create else self.data,
            data_as_bytes=b"" if self.is_create else self.data,
            is_create=self.is_create,
        )

    # ## logs
    def get_raw_log_entries(self) -> list[tuple[int, bytes, tuple[int, ...], bytes]]:
        """All logs of the message and the calls below it, in order: (number, address, topics, data)."""
        return self._logs

    @cached_property
    def _logs(self) -> list[tuple[int, bytes, tuple[int, ...], bytes]]:
        logs = []
        raw: list[Any] = [] if self.is_error else self._result.logs
        for number, log in enumerate(raw):
            topics, data = log.data
            words = tuple(int.from_bytes(topic, "big") for topic in topics)
            logs.append((number, bytes.fromhex(log.address[2:]), words, data))
        return logs

    def get_log_entries(self) -> tuple[tuple[bytes, tuple[int, ...], bytes], ...]:
        return tuple(entry[1:] for entry in self.get_raw_log_entries())

    @property
    def _log_entries(self) -> list[tuple[int, bytes, tuple[int, ...], bytes]]:
        # revm does not say which frame logged: the called contract's address comes nearest to "not a child's"
        own = self.to.canonical_address
        return [entry for entry in self.get_raw_log_entries() if entry[1] == own]

    # ## gas
    def get_gas_used(self) -> int:
        return self._gas_used

    def get_gas_refund(self) -> int:
        return 0 if self.is_error else self._result.gas_refunded

    @property
    def net_gas_used(self) -> int:
        return max(0, self._gas_used - self.get_gas_refund())

    # ## errors
    @property
    def _contract_repr_before_revert(self) -> str:
        # titanoboa falls back to repr(contract), a dump of all its storage, unless this says something
        contract = self.env._contracts.get(self.to.canonical_address)
        return f"<{getattr(contract, 'contract_name', 'contract')} at {self.to}, on revm>"

    @cached_property
    def call_trace(self) -> TraceFrame:
        contract = self.env._contracts.get(self.to.canonical_address)
        source = None if contract is None or self.is_create else _Source(contract, self.data[:4])
        return TraceFrame(cast(Any, self), source, 0, [])


@dataclass
class RevmPatch:
    """The block and chain values that titanoboa lets tests set (`env.evm.patch`); `anchor` saves them."""

    gas_limit: int
    block_number: int = 1
    timestamp: int = field(default_factory=lambda: int(time.time()))
    coinbase: bytes = bytes(20)
    difficulty: int = 0
    prevrandao: bytes = bytes(32)
    chain_id: int = 1
    code_size_limit: int = 24_576
    stale: bool = True  # whether revm has yet to be told

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "prev_hashes":
            raise EngineUnsupported(f"revm cannot patch {name}: use the engine pyevm")
        if name not in self.__dataclass_fields__:
            raise AttributeError(f"{name} cannot be patched")
        vars(self)[name] = value
        if name != "stale":
            vars(self)["stale"] = True

    @contextlib.contextmanager
    def anchor(self) -> Iterator[None]:
        saved = dict(vars(self))
        try:
            yield
        finally:
            if saved != vars(self):
                vars(self).update(saved, stale=True)


@dataclass(eq=False)
class _Checkpoint:
    revm: Any
    mark: Any
    # code set since, which revm does not journal: (instance, address, before, after)
    codes: list[tuple[Any, Address, bytes, bytes]] = field(default_factory=list)


class RevmVM:
    """The `env.evm` of a `RevmEnv`: state, snapshots and message execution on one pyrevm instance.

    pyrevm keeps one everlasting journal, and its `commit()` is never called: it would unbalance revm's depth.
    Chain ID and code-size limit are fixed for an instance, so a change of them copies the state into a new
    one (about 2 ms) at the next execution.
    """

    is_forked = False

    def __init__(self, env: "RevmEnv", gas_limit: int) -> None:
        self.env = env
        self.patch = RevmPatch(gas_limit)
        self._checkpoints: list[_Checkpoint] = []
        self._revm: Any = None
        self._config: Any = None
        self._refresh()

    def __getattr__(self, name: str) -> Any:
        if name in ("vm", "chain", "fork_rpc"):
            raise EngineUnsupported(f"env.evm.{name} belongs to py-evm: use the engine pyevm")
        raise AttributeError(name)

    # ## the instance
    def _refresh(self) -> None:
        """Hands patched values to revm; a new chain ID or code-size limit takes a copy of the instance."""
        patch = self.patch
        config = (patch.chain_id, patch.code_size_limit)
        if self._config != config:
            self._copy(config)
        self._revm.set_block_env(
            pyrevm.BlockEnv(
                number=patch.block_number,
                timestamp=patch.timestamp,
                coinbase=Address(patch.coinbase),
                difficulty=patch.difficulty,
                prevrandao=patch.prevrandao,
                gas_limit=patch.gas_limit,
            )
        )
        patch.stale = False

    def _copy(self, config: tuple[int, int]) -> None:
        old, new = self._revm, new_instance(*config)
        if old is not None:
            for address, info in old.journal_state.items():
                new.get_balance(address)  # load first: what is not loaded would bypass the journal
                new.insert_account_info(address, info)
            for address, slot, value in journal_slots(old):
                if value:
                    new.insert_account_storage(address, slot, value)
        self._revm, self._config = new, config

    # ## snapshots
    @property
    def is_state_dirty(self) -> bool:
        return self._revm.journal_len > 1

    def snapshot(self) -> _Checkpoint:
        checkpoint = _Checkpoint(self._revm, self._revm.snapshot())
        self._checkpoints.append(checkpoint)
        return checkpoint

    def revert(self, snapshot_id: _Checkpoint) -> None:
        if snapshot_id not in self._checkpoints:
            raise ValueError("unknown snapshot, or undone already")
        while True:  # newest first, as revm counts its depth by them
            checkpoint = self._checkpoints.pop()
            revm = checkpoint.revm
            revm.revert(checkpoint.mark)
            if revm is not self._revm:
                config = revm.env.cfg
                self._revm = revm
                self._config = (config.chain_id, config.limit_contract_code_size)
                self.patch.stale = True
            for origin, address, before, after in reversed(checkpoint.codes):
                # gone already where revm dropped the whole account, or where it was set in a copy
                if origin is revm and self.get_code(address) == after:
                    self._put_code(address, before)
            if checkpoint is snapshot_id:
                return

    # ## accounts
    def get_balance(self, address: Address) -> int:
        return self._revm.get_balance(address)

    def set_balance(self, address: Address, value: int) -> None:
        revm = self._revm
        if not self._checkpoints:
            revm.set_balance(address, value)
            return
        # revm does not journal set_balance: move the difference instead, so that an anchor takes it back
        if not 0 <= value < 2**256:
            raise ValueError("balance out of bounds")
        difference = value - revm.get_balance(address)
        if difference > 0:
            revm.set_balance(_MINT, difference)
            selfdestruct_to_it = b"\x73" + address.canonical_address + b"\xff"
            revm.deploy(_MINT, selfdestruct_to_it, difference, 10**6)
        elif difference < 0:
            revm.set_balance(_MINT, 0)
            with self._without_code_hash(address):
                revm.message_call(address, _MINT, b"", -difference, 10**6)

    def get_code(self, address: Address) -> bytes:
        info = self._revm.basic(address)
        code_hash = info.code_hash
        return b"" if code_hash == _EMPTY_HASH else _unpadded(code_hash, info)

    def set_code(self, address: Address, code: bytes) -> None:
        before = self.get_code(address)
        self._put_code(address, code)
        if self._checkpoints:
            self._checkpoints[-1].codes.append((self._revm, address, before, code))

    def _put_code(self, address: Address, code: bytes) -> None:
        info = self._revm.basic(address)
        changed = pyrevm.AccountInfo(balance=info.balance, nonce=info.nonce, code=bytes(code) or None)
        self._revm.insert_account_info(address, changed)

    @contextlib.contextmanager
    def _swapped(self, address: Address, code: bytes, code_hash: bytes | None) -> Iterator[None]:
        """Other code, or another code hash, at an address for the length of one call."""
        revm = self._revm
        info, original = revm.basic(address), self.get_code(address)
        swapped = pyrevm.AccountInfo(balance=info.balance, nonce=info.nonce, code_hash=code_hash, code=code)
        revm.insert_account_info(address, swapped)
        try:
            yield
        finally:
            now = revm.basic(address)
            if now.balance == info.balance and now.nonce == info.nonce:
                revm.insert_account_info(address, info)  # keeps revm's analysis of the code
            else:
                restored = pyrevm.AccountInfo(balance=now.balance, nonce=now.nonce, code=original or None)
                revm.insert_account_info(address, restored)

    def _without_code_hash(self, address: Address) -> contextlib.AbstractContextManager:
        # EIP-3607 refuses senders that have code, and goes by the hash alone; a test may send as a contract
        code = self.get_code(address)
        return self._swapped(address, code, _EMPTY_HASH) if code else contextlib.nullcontext()

    # ## storage
    def get_storage(self, address: Address, slot: int) -> int:
        return self._revm.storage(address, slot)

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        self._revm.get_balance(address)  # load first: what is not loaded would bypass the journal
        self._revm.insert_account_storage(address, slot, value)

    def get_storage_slot(self, address: Address, slot: int) -> bytes:
        return self._revm.storage(address, slot).to_bytes(32, "big")

    def storage_dump(self, address: Address) -> dict[int, int]:
        """Every slot of an account that is not zero."""
        text = self._revm.journal_str
        start = text.find(f"{address.lower()}: Account {{")
        if start < 0:
            return {}
        start = text.index(", storage: {", start)
        slots = _SLOT.findall(text[start : text.index("}, status: ", start)])
        return {int(slot): int(value) for slot, value in slots if value != "0"}

    # ## what titanoboa asks of an engine besides
    def get_gas_limit(self) -> int:
        return self.patch.gas_limit

    def get_gas_meter_class(self) -> type:
        return GasMeter

    def set_gas_meter_class(self, cls: type) -> None:
        if cls not in (GasMeter, NoGasMeter):
            raise EngineUnsupported(f"revm has no {cls.__name__}: use the engine pyevm")

    def enable_fast_mode(self, flag: bool = True) -> None:
        """Nothing to do: titanoboa's fast mode is a mode of py-evm."""

    def reset_access_counters(self) -> None:
        """Nothing to do: revm keeps touched slots warm from call to call."""

    # ## execution
    def call(
        self, sender: Address, to: Address, gas: int, gas_price: int, value: int, data: bytes, is_static: bool
    ) -> RevmComputation:
        """Executes one message; refusals come back as a computation with `is_error`.

        Raises:
            eth.exceptions.InsufficientFunds: the sender does not have `value` (as titanoboa does on py-evm).
        """
        if self.patch.stale:
            self._refresh()
        revm = self._revm
        revm.reset_transient_storage()
        intrinsic = 21_000 + 16 * len(data) - 12 * data.count(0)
        limit = min(gas + intrinsic, _MAX_GAS)
        error = None
        try:
            output = revm.message_call(sender, to, data, value, limit, gas_price, is_static)
        except RuntimeError as exc:
            if "RejectCallerWithCode" in exc.args[0]:
                with self._without_code_hash(sender):
                    return self.call(sender, to, gas, gas_price, value, data, is_static)
            output, error = _failure(exc.args[0])
        result = revm.result
        used = _gas_used(result, gas, intrinsic)
        return RevmComputation(self.env, sender, to, value, data, False, output, error, used, result)

    def generate_create_address(self, sender: Address) -> Address:
        """Where the sender's next deployment will be."""
        return Address(generate_contract_address(sender.canonical_address, self._revm.basic(sender).nonce))

    def deploy_code(
        self,
        *,
        sender: Address,
        origin: Address,
        target_address: Address,
        gas: int | None,
        gas_price: int,
        value: int,
        bytecode: bytes,
    ) -> RevmComputation:
        """As titanoboa's on py-evm; `origin` is the sender."""
        if gas is None:
            gas = self.patch.gas_limit
        if target_address == self.generate_create_address(sender):
            return self.create(sender, gas, gas_price, value, bytecode)
        return self.create_at(sender, target_address, gas, gas_price, value, bytecode)

    def create(self, sender: Address, gas: int, gas_price: int, value: int, initcode: bytes) -> RevmComputation:
        """Deploys at the address that the sender's nonce gives."""
        if self.patch.stale:
            self._refresh()
        revm = self._revm
        revm.reset_transient_storage()
        if revm.basic(sender).code_hash != _EMPTY_HASH:
            with self._without_code_hash(sender):
                return self.create(sender, gas, gas_price, value, initcode)
        target = self.generate_create_address(sender)
        words = (len(initcode) + 31) // 32
        intrinsic = 53_000 + 16 * len(initcode) - 12 * initcode.count(0) + 2 * words
        limit = min(gas + intrinsic, _MAX_GAS)
        error = None
        try:
            revm.deploy(sender, initcode, value, limit, gas_price)
            output = self.get_code(target)
        except RuntimeError as exc:
            try:
                output, error = _failure(exc.args[0])
            except eth_errors.InsufficientFunds:
                revm.deploy(sender, b"")  # titanoboa counts this deployment in the nonce, too
                raise
        result = revm.result
        used = _gas_used(result, gas, intrinsic)
        return RevmComputation(self.env, sender, target, value, initcode, True, output, error, used, result)

    def create_at(
        self, sender: Address, target: Address, gas: int, gas_price: int, value: int, initcode: bytes
    ) -> RevmComputation:
        """Deploys at a chosen address: runs the initcode as that account's code, keeps what it returns."""
        before = self.get_code(target)
        self._put_code(target, initcode)
        try:
            computation = self.call(sender, target, gas, gas_price, value, b"", False)
        except BaseException:
            self._put_code(target, before)
            raise
        if computation.is_error:
            self._put_code(target, before)
        else:
            self._put_code(target, computation.output)
            if self._checkpoints:
                self._checkpoints[-1].codes.append((self._revm, target, before, computation.output))
        computation.is_create = True
        computation.data = initcode
        return computation


class RevmEnv(Env):
    """A titanoboa environment on revm; see the module's docstring for what differs from the reference.

    Args:
        gas_limit: gas of a call or deployment that names none; `env.evm.patch.gas_limit` changes it later.

    Raises:
        EngineUnavailable: pyrevm is not installed.
    """

    def __init__(self, gas_limit: int = GAS_LIMIT) -> None:
        if pyrevm is None:
            raise EngineUnavailable(missing())
        # not Env.__init__: it would build a py-evm chain
        self._random = Random("titanoboa")  # titanoboa shares one stream among all environments
        self._gas_price = None
        self._aliases: dict[bytes, str] = {}
        self.eoa = self.generate_address("eoa")
        self._contracts: dict[bytes, Any] = {}
        self._code_registry: dict[bytes, Any] = {}
        self.sha3_trace: dict = {}
        self.sstore_trace: dict = {}
        self._gas_tracker = 0
        self.nickname = "revm"
        self.evm = RevmVM(self, gas_limit)

    def fork_rpc(self, *args: Any, **kwargs: Any) -> None:
        raise EngineUnsupported("revm cannot fork a chain here: use the engine pyevm")

    # called for every return value: two layers less than Env's
    def get_gas_meter_class(self) -> type:
        return GasMeter

    def execute_code(
        self,
        to_address: Any = constants.ZERO_ADDRESS,
        sender: Any = None,
        gas: int | None = None,
        value: int = 0,
        data: bytes = b"",
        override_bytecode: bytes | None = None,
        ir_executor: Any = None,
        is_modifying: bool = True,
        simulate: bool = False,
        start_pc: int = 0,
        fake_codesize: int | None = None,
        contract: Any = None,
    ) -> RevmComputation:
        """As `boa.Env.execute_code`."""
        evm = self.evm
        sender = self._get_sender(sender) if sender is None else Address(sender)
        to = Address(to_address)
        if gas is None:
            gas = evm.patch.gas_limit
        if simulate or override_bytecode is not None or start_pc or fake_codesize is not None:
            if start_pc or fake_codesize is not None:
                raise EngineUnsupported("revm cannot start inside code nor fake its size: use pyevm")
            with contextlib.ExitStack() as stack:
                if simulate:
                    stack.enter_context(self._anchor())
                if override_bytecode is not None:
                    stack.enter_context(evm._swapped(to, override_bytecode, None))
                computation = evm.call(sender, to, gas, self.get_gas_price(), value, data, not is_modifying)
        else:
            computation = evm.call(sender, to, gas, self._gas_price or 0, value, data, not is_modifying)
        self._gas_tracker += computation._gas_used
        return computation


def _gas_used(result: Any, gas: int, intrinsic: int) -> int:
    """What a message used of its `gas`, before refunds."""
    if result is None or result.is_halt:
        return gas
    return result.gas_used + result.gas_refunded - intrinsic


def _failure(text: str) -> tuple[bytes, Exception]:
    """Revert data and py-evm exception from the text of pyrevm's RuntimeError; nowhere else has them."""
    if text.startswith("Revert"):
        output = bytes.fromhex(text[text.rindex("0x") + 2 : -2])
        return output, eth_errors.Revert(output)
    if halt := _HALT_REASON.match(text):
        return b"", _HALTS.get(halt[1], eth_errors.VMError)(text)
    if "LackOfFund" in text:
        raise eth_errors.InsufficientFunds(text)
    return b"", eth_errors.VMError(text)


@lru_cache(maxsize=256)
def _code_by_hash(code_hash: bytes, code: bytes) -> bytes:
    # revm appends 33 zero bytes to the code that it has analysed; only the hash tells
    if code.endswith(bytes(33)) and keccak(code[:-33]) == code_hash:
        return code[:-33]
    return code


def _unpadded(code_hash: bytes, info: Any) -> bytes:
    return _code_by_hash(code_hash, info.code or b"")


def new_instance(chain_id: int, code_size_limit: int) -> Any:
    """An empty pyrevm instance."""
    settings = pyrevm.CfgEnv(chain_id=chain_id, limit_contract_code_size=code_size_limit)
    return pyrevm.EVM(env=pyrevm.Env(cfg=settings), gas_limit=_MAX_GAS, spec_id="PRAGUE")


def journal_slots(revm: Any) -> list[tuple[str, int, int]]:
    """The slots in an instance's journal as (address, slot, value), zeros too."""
    text = revm.journal_str
    text = text[: text.index("}, transient_storage: {")]
    return [
        (address, int(slot), int(value))
        for address, storage in _ACCOUNT.findall(text)
        for slot, value in _SLOT.findall(storage)
    ]
