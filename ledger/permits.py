"""Permits (ERC-2612): an approval that is signed instead of sent, so that a deposit is one transaction."""

from dataclasses import asdict, dataclass
from typing import Any

from ledger.eip712 import Domain, Struct
from ledger.errors import InputError
from ledger.keys import Signer

_PERMIT = Struct(
    "Permit",
    (("owner", "address"), ("spender", "address"), ("value", "uint256"), ("nonce", "uint256"), ("deadline", "uint256")),
)


@dataclass(frozen=True, slots=True)
class Permit:
    """The owner lets `spender` take `value` micro until `deadline`, in seconds since the epoch; `nonce` counts the
    owner's permits on that token."""

    owner: str
    spender: str
    value: int
    nonce: int
    deadline: int

    def typed_data(self, token: Domain) -> dict[str, Any]:
        """The permit as a wallet's eth_signTypedData_v4 takes it."""
        return _PERMIT.typed_data(asdict(self), token)


def sign_permit(permit: Permit, token: Domain, signer: Signer) -> bytes:
    """65 bytes r, s, v. Raises InputError unless the permit is the signer's own."""
    if signer.address != permit.owner:
        raise InputError(f"The permit is {permit.owner}'s, the key is {signer.address}'s.", "Sign it with its key.")
    return signer.sign_digest(_PERMIT.digest(asdict(permit), token))
