"""Sending: nothing that would fail is sent, several may be under way, and every failure has its name."""

from dataclasses import replace

import pytest
from eth_account import Account

from ledger import (
    Action,
    NodeRefused,
    NotIncluded,
    Receipt,
    Secret,
    Sender,
    errors,
)
from ledger.chain import TRANSACTION_GAS_MAX, created_address
from ledger.fees import WEI_PER_GWEI, FeePolicy
from ledger.keys import signer_from_mnemonic
from ledger.node import DEVELOPMENT_MNEMONIC
from ledger.sender import Sent
from tests.world import World

PAUPER = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), 10_000)


def faucet(world: World, amount_micro: int = 1) -> Action[None]:
    return world.market.mint_test_dollars(world.seller.address, amount_micro)


def test_built_transaction_can_be_signed_and_sent_by_anyone_with_the_key(world: World) -> None:
    unsigned = faucet(world, 7).build(world.buyer.address)
    signed = world.buyer.sign_transaction(unsigned.fields())
    assert Account.recover_transaction(signed.raw) == world.buyer.address
    before = world.market.wallet_micro(world.seller.address)
    world.chain.send_raw(signed.raw)
    receipt = None
    while receipt is None:
        receipt = world.chain.receipt(signed.hash)
    assert receipt.succeeded
    assert receipt.gas_used <= unsigned.gas
    assert world.market.wallet_micro(world.seller.address) == before + 7


def test_built_transaction_is_shown_to_wallets_in_hex(world: World) -> None:
    unsigned = faucet(world).build(world.buyer.address)
    shown = unsigned.json()
    assert shown["from"] == world.buyer.address
    assert int(shown["chainId"], 16) == world.chain.chain_id
    assert int(shown["nonce"], 16) == world.chain.nonce(world.buyer.address)
    assert shown["data"] == "0x" + unsigned.data.hex()
    assert int(shown["maxFeePerGas"], 16) == unsigned.max_fee_wei >= unsigned.tip_wei
    assert shown["to"] == world.market.address("Token")


def test_two_senders_of_one_key_do_not_collide(world: World) -> None:
    other = Sender(world.chain)
    for sender in (world.market.sender, other, world.market.sender, other):
        sender.send(faucet(world).call, world.seller)


def test_account_without_gas_money_is_told_so(world: World) -> None:
    with pytest.raises(NodeRefused) as refused:
        faucet(world).send(PAUPER)
    assert "money for gas" in refused.value.remedy


def test_gas_above_the_cap_is_not_paid(world: World) -> None:
    frugal = Sender(world.chain, fees=FeePolicy(cap_wei=1))
    with pytest.raises(NodeRefused, match="more than the cap"):
        frugal.send(faucet(world).call, world.seller)
    enough = Sender(world.chain, fees=FeePolicy(cap_wei=5 * WEI_PER_GWEI))
    assert enough.build(faucet(world).call, world.seller.address).max_fee_wei <= 5 * WEI_PER_GWEI


def test_failure_that_the_simulation_could_not_see_is_named_after_the_fact(world: World) -> None:
    """Two withdrawals of all there is, side by side: each alone would do."""
    all_micro = world.market.cash_micro(world.provider.address)
    call = world.market.withdraw(all_micro, world.provider.address).call
    unsigned = world.market.sender.build(call, world.provider.address)
    first, second = (
        world.provider.sign_transaction(replace(unsigned, nonce=unsigned.nonce + count, gas=200_000).fields())
        for count in range(2)
    )
    with world.clock.one_block():
        world.chain.send_raw(first.raw)
        world.chain.send_raw(second.raw)
    receipt = world.chain.receipt(second.hash)
    assert receipt is not None
    assert not receipt.succeeded
    with pytest.raises(errors.Treasury_InsufficientCash):
        world.market.sender.wait(Sent(call, world.provider.address, second.hash, unsigned.nonce + 1, 200_000))
    world.market.fund(all_micro, world.provider)


def test_transaction_that_runs_out_of_gas_says_so(world: World) -> None:
    call = replace(faucet(world).call, gas=30_000)
    with pytest.raises(errors.Unknown, match="ran out of gas"):
        world.market.sender.send(call, world.seller)


def test_transaction_that_is_in_no_block_is_not_waited_for_for_ever(world: World) -> None:
    hasty = Sender(world.chain, timeout_s=0)
    with world.clock.one_block():
        if world.chain.in_process:
            # There a pending transaction has a receipt at once; one that was never sent has none.
            sent = replace(hasty.submit(faucet(world).call, world.seller), transaction="0x" + "ab" * 32)
        else:
            sent = hasty.submit(faucet(world).call, world.seller)
        with pytest.raises(NotIncluded) as waiting:
            hasty.wait(sent)
    assert waiting.value.transaction == sent.transaction


def test_gas_limit_is_the_estimate_and_a_little_more(anvil_world: World) -> None:
    call = faucet(anvil_world).call
    unsigned = anvil_world.market.sender.build(call, anvil_world.seller.address)
    receipt = anvil_world.market.sender.send(call, anvil_world.seller)
    assert receipt.gas_used < unsigned.gas < receipt.gas_used + 100_000
    named = replace(call, gas=99_999)
    assert anvil_world.market.sender.build(named, anvil_world.seller.address).gas == 99_999


def test_gas_limit_in_this_process_is_what_a_transaction_may_burn(tester_world: World) -> None:
    unsigned = tester_world.market.sender.build(faucet(tester_world).call, tester_world.seller.address)
    assert unsigned.gas == TRANSACTION_GAS_MAX


def test_contract_is_created_where_foreseen_from_a_wallets_transaction(world: World) -> None:
    artifact = world.chain.artifact("TestDollar")
    creation = world.chain.interface("TestDollar").creation(artifact.creation_code)
    unsigned = world.market.sender.build(creation, world.seller.address)
    assert "to" not in unsigned.fields()
    receipt: Receipt = world.market.sender.send(creation, world.seller)
    assert receipt.contract == created_address(world.seller.address, unsigned.nonce)
