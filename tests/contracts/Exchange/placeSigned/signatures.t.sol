// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../../contracts/interfaces/IExchange.sol";
import {Kind, Order} from "../../../../contracts/types/Order.sol";
import {SignedOrder} from "../../../../contracts/types/SignedOrder.sol";
import {OrderTerms} from "../../support/OrderTerms.sol";
import {IMoreVm} from "../support/IMoreVm.sol";
import {Signing} from "../support/Signing.sol";
import {Wallet} from "../support/Wallet.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

contract Exchange_placeSigned_Signatures_Test is Signing {
    uint256 private constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    /* WHAT IS SIGNED */

    /// @dev Against forge's own reading of `eth_signTypedData_v4`, from the JSON that a wallet is shown.
    function testFuzz_placeSigned_takesWhatAWalletSigns(uint16 tick, uint64 units, uint8 index) public {
        OrderTerms memory order = terms(
            people[0].addr,
            Kind.BID,
            uint16(bound(tick, 1, 1023)),
            uint64(bound(units, MIN_UNITS, UNITS_MAX)),
            uint8(bound(index, 0, 79))
        );
        bytes32 digest = IMoreVm(address(vm)).eip712HashTypedData(_typedData(order));
        assertPlaced(order.pack(signatureOf(people[0], digest)), order);
    }

    function _typedData(OrderTerms memory order) private view returns (string memory) {
        string memory message = string.concat(
            '"owner":"',
            vm.toString(order.owner),
            '","kind":',
            vm.toString(order.kind),
            ',"site":',
            vm.toString(order.site)
        );
        message = string.concat(
            message, ',"product":"', vm.toString(order.product), '","tick":', vm.toString(order.tick), ',"units":"'
        );
        message =
            string.concat(message, vm.toString(order.units), '","round":"', vm.toString(order.round), '","index":');
        message = string.concat(message, vm.toString(order.index), ',"epoch":', vm.toString(order.epoch));
        string memory domain = string.concat(
            '"name":"Compute Ledger","version":"1","chainId":',
            vm.toString(block.chainid),
            ',"verifyingContract":"',
            vm.toString(address(exchange)),
            '"'
        );
        return string.concat(
            '{"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},',
            '{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],',
            '"Order":[{"name":"owner","type":"address"},{"name":"kind","type":"uint8"},{"name":"site","type":"uint32"},',
            '{"name":"product","type":"uint256"},{"name":"tick","type":"uint16"},{"name":"units","type":"uint64"},',
            '{"name":"round","type":"uint64"},{"name":"index","type":"uint8"},{"name":"epoch","type":"uint32"}]},',
            string.concat('"primaryType":"Order","domain":{', domain, '},"message":{', message, "}}")
        );
    }

    function test_placeSigned_namesItsDomain() public view {
        (bytes1 fields, string memory name, string memory version, uint256 chainId, address verifier, bytes32 salt,) =
            IERC5267(address(exchange)).eip712Domain();
        assertEq(bytes32(fields), bytes32(bytes1(0x0f)));
        assertEq(name, "Compute Ledger");
        assertEq(version, "1");
        assertEq(chainId, block.chainid);
        assertEq(verifier, address(exchange));
        assertEq(salt, bytes32(0));
    }

    /* BY KEY */

    function testFuzz_placeSigned_takesAnyKindByKey(uint8 which, bool compact) public {
        stock(people[0].addr, 1000);
        User memory owner = which % 3 == 2 ? provider : people[0];
        OrderTerms memory order = terms(owner.addr, [Kind.BID, Kind.ASK, Kind.OFFER][which % 3], TICK, 100, 7);
        if (which % 3 == 2) order.site = sites[0];
        SignedOrder memory packed = sign(owner, order);
        if (compact) {
            (bytes32 r, bytes32 vs) = vm.signCompact(owner.key, digestOf(order));
            packed = order.pack(abi.encodePacked(r, vs));
        }
        assertPlaced(packed, order);
        (Order placed_,) = orderAt(orderCount() - 1);
        assertEq(uint256(placed_.kindOf()), uint256([Kind.BID_BY_KEY, Kind.ASK, Kind.OFFER][which % 3]), "kind");
    }

    function testFuzz_placeSigned_skipsWhen_anotherSigned(uint256 key) public {
        key = bound(key, 1, CURVE_ORDER - 1);
        vm.assume(key != people[0].key);
        OrderTerms memory order = goodBid(people[0], 0);
        assertSkipped(sign(User(vm.addr(key), key), order), order, badSignature(order));
    }

    function testFuzz_placeSigned_skipsWhen_signatureIsGarbage(bytes calldata signature) public {
        OrderTerms memory order = goodBid(people[0], 0);
        assertSkipped(order.pack(signature), order, badSignature(order));
    }

    /// @dev The other signature of the same digest, which anyone can make from the first.
    function test_placeSigned_skipsWhen_signatureIsMirrored() public {
        OrderTerms memory order = goodBid(people[0], 0);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(people[0].key, digestOf(order));
        bytes memory mirrored = abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        assertSkipped(order.pack(mirrored), order, badSignature(order));
    }

    /// @dev One bit flipped in what was signed, and it is not what was signed.
    function testFuzz_placeSigned_placesNothingWhen_aBitIsFlipped(uint8 bit, bool inWhat) public {
        SignedOrder memory packed = sign(people[0], goodBid(people[0], 5));
        if (inWhat) packed.what ^= 1 << (bit % 160);
        else packed.who ^= 1 << (bit % 248);
        uint256 supply = escrowOf(product);
        vm.expectEmit(false, false, false, false, address(exchange));
        emit IExchange.OrderSkipped(0, address(0), 0, "");
        relayOne(packed);
        assertEq(orderCount(), 0);
        assertEq(escrowOf(product), supply);
    }

    /// @dev The packing leaves bits unused: they change nothing, and they make no second order of one.
    function testFuzz_placeSigned_readsOnlyItsBits(uint96 aboveWhat, uint8 aboveWho) public {
        OrderTerms memory order = goodBid(people[0], 5);
        SignedOrder memory packed = sign(people[0], order);
        SignedOrder memory dirty = sign(people[0], order);
        (dirty.what, dirty.who) = (packed.what | (uint256(aboveWhat) << 160), packed.who | (uint256(aboveWho) << 248));
        assertPlaced(dirty, order);
        expectSkipped(
            order, 0, abi.encodeWithSignature("Treasury_IndexUsed(address,uint64,uint8)", order.owner, order.round, 5)
        );
        relayOne(packed);
        assertEq(orderCount(), 1);
    }

    /* ELSEWHERE */

    function testFuzz_placeSigned_skipsWhen_signedForAnotherChain(uint32 chain) public {
        vm.assume(chain != block.chainid && chain != 0);
        OrderTerms memory order = goodBid(people[0], 0);
        SignedOrder memory packed = sign(people[0], order);
        vm.chainId(chain);
        assertSkipped(packed, order, badSignature(order));
        assertPlaced(sign(people[0], order), order);
    }

    function test_placeSigned_skipsWhen_signedForAnotherMarket() public {
        OrderTerms memory order = goodBid(people[0], 0);
        SignedOrder memory packed = sign(people[0], order);
        _deploy(IERC20(address(dollar)));
        bytes memory reason = badSignature(order);
        expectSkipped(order, 0, reason);
        relayOne(packed);
    }

    /* BY CONTRACT */

    function _wallet(Wallet.Manner manner) private returns (Wallet wallet, OrderTerms memory order) {
        wallet = new Wallet(people[0].addr);
        wallet.setSigning(manner);
        enrich(address(wallet));
        order = terms(address(wallet), Kind.BID, TICK, 100, 0);
    }

    function test_placeSigned_takesWhatAContractSigns() public {
        (, OrderTerms memory order) = _wallet(Wallet.Manner.GOOD);
        assertSkipped(sign(people[1], order), order, badSignature(order));
        assertPlaced(sign(people[0], order), order);
        (Order placed_,) = orderAt(0);
        assertEq(uint256(placed_.kindOf()), uint256(Kind.BID), "a contract has no key");
    }

    /// @dev A wallet that refuses, answers wrongly or too shortly, or burns all it is given.
    function testFuzz_placeSigned_skipsWhen_aContractMisbehaves(uint8 manner) public {
        (, OrderTerms memory order) = _wallet(Wallet.Manner(1 + manner % 4));
        assertSkipped(sign(people[0], order), order, badSignature(order));
    }

    /// @dev What one order burns is not the others'.
    function test_placeSigned_placesTheOthersWhen_contractsBurnGas() public {
        (Wallet wallet, OrderTerms memory order) = _wallet(Wallet.Manner.BURN_GAS);
        SignedOrder[] memory orders = new SignedOrder[](8);
        for (uint8 i = 0; i < 8; ++i) {
            order.index = i;
            orders[i] = i % 2 == 0 ? sign(people[0], order) : sign(people[1], goodBid(people[1], i));
            if (i % 2 == 0) expectSkipped(order, i, badSignature(order));
        }
        exchange.placeSigned{gas: 2 ** 24}(orders, noSlots);
        assertEq(orderCount(), 4);
        assertLt(vm.lastCallGas().gasTotalUsed, 4 * 1_300_000 + 4 * 150_000, "each within its share");
        (,,, uint80 used) = treasury.accountOf(address(wallet));
        assertEq(used, 0, "none of its orders is used up");
    }

    /// @dev The precompiles answer any call: the identity even begins with the selector that it is asked for.
    function testFuzz_placeSigned_skipsWhen_ownerIsAPrecompile(uint8 owner, bytes calldata signature) public {
        OrderTerms memory order = terms(address(uint160(bound(owner, 0, 17))), Kind.BID, TICK, 100, 0);
        assertSkipped(order.pack(signature), order, badSignature(order));
    }

    /* BY DELEGATED ACCOUNT (EIP-7702) */

    /// @dev It has code, whatever that says to signatures, and still signs with its key.
    function testFuzz_placeSigned_takesWhatADelegatedAccountSigns(uint8 manner, bool etched) public {
        Wallet wallet = new Wallet(address(0));
        User memory owner = people[0];
        if (etched) {
            vm.etch(owner.addr, abi.encodePacked(hex"ef0100", address(wallet)));
        } else {
            vm.signAndAttachDelegation(address(wallet), owner.key);
            // The delegation comes with the next transaction.
            exchange.revokeSigned();
        }
        assertEq(owner.addr.code.length, 23, "delegated");
        Wallet(owner.addr).setSigning(Wallet.Manner(manner % 5));
        OrderTerms memory order = goodBid(owner, 3);
        assertPlaced(sign(owner, order), order);
        (Order placed_,) = orderAt(0);
        assertEq(uint256(placed_.kindOf()), uint256(Kind.BID_BY_KEY), "by key");
    }

    /// @dev What its code accepts counts too: another key may sign for it, as it decided.
    function test_placeSigned_takesWhatADelegatedAccountsCodeAccepts() public {
        // Delegated code reads the account's own storage: nobody is its signer yet.
        vm.etch(people[0].addr, abi.encodePacked(hex"ef0100", address(new Wallet(address(0)))));
        OrderTerms memory order = goodBid(people[0], 3);
        assertSkipped(sign(people[1], order), order, badSignature(order));
        vm.store(people[0].addr, bytes32(0), bytes32(uint256(uint160(people[1].addr))));
        assertPlaced(sign(people[1], order), order);
        (Order placed_,) = orderAt(0);
        assertEq(uint256(placed_.kindOf()), uint256(Kind.BID), "its code signed, not its key");
    }
}
