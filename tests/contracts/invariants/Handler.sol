// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {Checks} from "./Checks.sol";

/// @title Handler
/// @notice Everyone at once: the one target of the invariant runs. And the way out, when a run is over.
contract Handler is Checks {
    constructor(Refs memory refs, uint32[] memory sites_) {
        m = refs;
        (committee, auditor, arbiter, guardian) =
        (makeAddr("committee"), makeAddr("auditor"), makeAddr("arbiter"), makeAddr("guardian"));
        string[5] memory names = ["provider", "second provider", "buyer", "second buyer", "reseller"];
        for (uint256 i = 0; i < names.length; ++i) {
            User memory user = makeUser(names[i]);
            people.push(user.addr);
            keyOf[user.addr] = user;
        }
        people.push(address(m.puppet));
        User memory last = makeUser("thief");
        (thief, keyOf[last.addr]) = (last.addr, last);
        people.push(thief);
        relayer = makeAddr("relayer");
        domainSeparator = _separator();
        for (uint256 i = 0; i < sites_.length; ++i) {
            sites.push(sites_[i]);
            attested[sites_[i]] = m.capacity.siteOf(sites_[i]).units;
        }
    }

    function _separator() private view returns (bytes32) {
        (, string memory name, string memory version, uint256 chainId, address verifier,,) =
            IERC5267(address(m.exchange)).eip712Domain();
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chainId,
                verifier
            )
        );
    }

    /* THE WAY OUT */

    /// @notice All keepers and all roles are dead, and new orders and mints stopped for good: by their own calls alone,
    /// everyone redeems what can be redeemed, waits, and takes all that is theirs.
    function exit() external {
        _pause(true, true);
        m.puppet.setManner(Puppet.Manner.ACCEPT);
        for (uint256 i = 0; i < products.length; ++i) {
            if (_now() < _start(products[i])) _redeemAll(products[i]);
        }
        _waitUntil(_now() + 400 days);
        while (batches.length != 0) {
            _settleOwn(batches[0]);
        }
        for (uint256 i = 0; i < products.length; ++i) {
            _expireAll(products[i]);
            if (m.exchange.heldOf(products[i], address(m.puppet)) == 0) continue;
            vm.prank(address(m.puppet));
            m.exchange.collect(products[i], address(m.puppet));
        }
        while (leases.length != 0) {
            _resolve(leases[0], m.delivery.leaseOf(leases[0]).holder);
        }
        for (uint256 i = 0; i < people.length; ++i) {
            uint256 cash = m.treasury.cashOf(people[i]);
            if (cash == 0) continue;
            vm.prank(people[i]);
            m.treasury.withdraw(cash, people[i]);
        }
    }

    /// @dev Each of those who hold, from each site that owes.
    function _redeemAll(uint256 product) private {
        for (uint256 i = 0; i < people.length; ++i) {
            for (uint256 j = 0; j < sites.length; ++j) {
                (uint64 owed,) = m.delivery.obligationOf(product, sites[j]);
                uint256 units = _min(m.capacity.balanceOf(people[i], product), owed);
                if (units != 0) _redeem(people[i], product, sites[j], uint64(units));
            }
        }
    }

    /// @dev Every owner its own order, alone.
    function _settleOwn(Batch storage b) private {
        uint256 count = b.orders.length;
        uint256[] memory ids = b.orders;
        uint256[] memory one = new uint256[](1);
        for (uint256 i = 0; i < count; ++i) {
            if (orders[ids[i]].settled) continue;
            one[0] = ids[i];
            _settle(b, one, orders[ids[i]].owner);
        }
    }

    function _expireAll(uint256 product) private {
        for (uint256 j = 0; j < sites.length; ++j) {
            (uint64 owed,) = m.delivery.obligationOf(product, sites[j]);
            if (owed != 0) _expire(product, sites[j], m.capacity.providerOf(sites[j]));
        }
    }

    /// @notice INV-14: after the way out nothing is left anywhere, and the thief has what he came with: nothing.
    function checkEmpty() external view {
        assertEq(m.dollar.balanceOf(address(m.treasury)), 0, "INV-14: the treasury");
        for (uint256 i = 0; i < products.length; ++i) {
            (,,,, uint256 escrow) = m.exchange.bookOf(products[i]);
            assertEq(escrow, 0, "INV-14: a book");
            assertEq(m.capacity.balanceOf(address(m.exchange), products[i]), 0, "INV-14: units in escrow");
            assertEq(m.capacity.balanceOf(thief, products[i]), 0, "INV-14: the thief's units");
        }
        for (uint64 lease = 1; lease <= m.delivery.leaseCount(); ++lease) {
            assertEq(uint256(m.delivery.leaseOf(lease).state), uint256(IDelivery.State.RESOLVED), "INV-14: a lease");
        }
        uint256 wallets = 0;
        for (uint256 i = 0; i < people.length; ++i) {
            wallets += m.dollar.balanceOf(people[i]);
        }
        assertEq(wallets, m.dollar.totalSupply(), "INV-14: the wallets");
        assertEq(m.dollar.balanceOf(thief), 0, "INV-14: the thief's wallet");
    }
}
