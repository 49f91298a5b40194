// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Leases} from "./Leases.sol";

contract Delivery_terms_Test is Leases {
    function _deployWith(IDelivery.Terms memory terms) private returns (IDelivery) {
        bytes memory arguments = abi.encode(authority, standard, capacity, treasury, exchange, terms);
        return IDelivery(vm.deployCode("out/contracts/Delivery.sol/Delivery.json", arguments));
    }

    function testFuzz_terms_areThoseOfDeploymentWhen_inRange(IDelivery.Terms memory terms) public {
        terms.penaltyMarginBp = uint16(bound(terms.penaltyMarginBp, 0, ONE_BP));
        terms.disputeDepositBp = uint16(bound(terms.disputeDepositBp, 0, ONE_BP));
        terms.deratingFloorBp = uint16(bound(terms.deratingFloorBp, 0, ONE_BP));
        assertEq(abi.encode(_deployWith(terms).terms()), abi.encode(terms));
    }

    function test_terms_areProductionsWhen_deployedByDefault() public view {
        assertEq(abi.encode(delivery.terms()), abi.encode(productionTerms()));
    }

    /// @dev In the order of the fields: the first that fails wins.
    function testFuzz_terms_revertsWhen_aShareIsAboveTheWhole(uint16 bp, uint256 which) public {
        bp = uint16(bound(bp, ONE_BP + 1, type(uint16).max));
        IDelivery.Terms memory terms = productionTerms();
        which = bound(which, 0, 2);
        terms.deratingFloorBp = which == 2 ? bp : type(uint16).max;
        if (which <= 1) terms.disputeDepositBp = which == 1 ? bp : type(uint16).max;
        if (which == 0) terms.penaltyMarginBp = bp;
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_TermsOutOfRange.selector, bp, 10_000));
        _deployWith(terms);
    }

    function test_terms_wireTheMarketWhen_deployed() public view {
        assertEq(address(delivery.standard()), address(standard));
        assertEq(address(delivery.capacity()), address(capacity));
        assertEq(address(delivery.treasury()), address(treasury));
        assertEq(delivery.exchange(), address(exchange));
        assertEq(IAccessManaged(address(delivery)).authority(), address(authority));
    }
}
