"""Permits: the token takes what is signed here, and a wallet would sign the same."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from ledger import InputError, sign_permit
from tests.world import BUYER, SELLER, World


def test_token_takes_the_permit_and_counts_it(world: World) -> None:
    market = world.market
    permit = market.permit(BUYER.address, 5_000, world.chain.time_s() + 3_600)
    domain = market.token_domain()
    signature = sign_permit(permit, domain, BUYER)
    message = encode_typed_data(full_message=permit.typed_data(domain))
    assert Account.recover_message(message, signature=signature) == BUYER.address
    parts = (signature[64], signature[:32], signature[32:64])
    call = market.call("Token", "permit", BUYER.address, permit.spender, permit.value, permit.deadline, *parts)
    market.sender.send(call, world.stranger)
    assert market.allowance_micro(BUYER.address) == 5_000
    assert market.permit(BUYER.address, 5_000, 0).nonce == permit.nonce + 1
    market.approve(0).send(BUYER)


def test_permit_of_others_is_not_signed(tester_world: World) -> None:
    permit = tester_world.market.permit(BUYER.address, 1, 2**40)
    with pytest.raises(InputError, match="Sign it with its key"):
        sign_permit(permit, tester_world.market.token_domain(), SELLER)
