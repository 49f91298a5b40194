// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../../contracts/interfaces/IExchange.sol";
import {Kind, Order} from "../../../../contracts/types/Order.sol";
import {SignedOrder} from "../../../../contracts/types/SignedOrder.sol";
import {Market} from "../../support/Market.sol";
import {Rule} from "./Rule.sol";

/// @title Rounds
/// @notice Rounds of one product with a model beside them: who placed what, what the rule gives each order, and what
/// everyone must own when all is settled, to the micro.
abstract contract Rounds is Market {
    using Rule for Rule.Volumes;

    uint256 internal constant UNITS_MAX = type(uint32).max;
    /// @dev More than any test can spend.
    uint256 internal constant RICHES = 1e24;
    uint16 internal constant HOURS = 24;

    struct Placed {
        Kind kind;
        address owner;
        uint32 site;
        uint16 tick;
        uint32 index;
        uint64 prefix;
        uint64 units;
        bool settled;
        uint64 fill;
    }

    uint256 internal product;
    uint64 internal round;
    Placed[] internal placed;
    mapping(uint64 round => Rule.Volumes) internal volumes;
    /// @dev By the rule; 0 before a round is cleared, and where nothing traded.
    uint256 internal tradedUnits;
    uint256 internal tradedTick;

    User[] internal people;
    uint32[] internal sites;
    mapping(address owner => uint256) internal moneyBefore;
    mapping(address owner => uint256) internal unitsBefore;
    mapping(uint32 site => uint256) internal owedBefore;
    mapping(uint32 site => uint256) internal bondBefore;
    mapping(address owner => uint8) private _signedOrders;
    uint256 private _seed;

    function setUp() public virtual override {
        super.setUp();
        product = tomorrow();
        round = exchange.currentRound();
        enrich(provider.addr);
        for (uint256 i = 0; i < 4; ++i) {
            people.push(makeUser(string.concat("person", vm.toString(i))));
            enrich(people[i].addr);
        }
        sites.push(giantSite());
        sites.push(giantSite());
        openAccounts();
    }

    /* PEOPLE */

    function enrich(address owner) internal {
        fund(owner, RICHES);
    }

    /// @dev A site that may issue all that 32 bits count.
    function giantSite() internal returns (uint32 site) {
        vm.prank(provider.addr);
        site = capacity.registerSite(H100, 4_294_968, AI_LARGE, FRANKFURT, "https://example.org/giant");
        vm.prank(auditor);
        capacity.attest(site, uint64(UNITS_MAX), 3, keccak256("measured"), uint64(vm.getBlockTimestamp() + 365 days));
    }

    /// @dev Units to resell, minted at a site of their own.
    function stock(address owner, uint64 units) internal {
        mintAs(provider.addr, giantSite(), product, units);
        vm.prank(provider.addr);
        capacity.safeTransferFrom(provider.addr, owner, product, units, "");
    }

    /// @dev From here on, everyone's money and units are accounted for, and what each site owes.
    function openAccounts() internal {
        (moneyBefore[provider.addr], unitsBefore[provider.addr]) = (moneyOf(provider.addr), ownedBy(provider.addr));
        for (uint256 i = 0; i < people.length; ++i) {
            address owner = people[i].addr;
            (moneyBefore[owner], unitsBefore[owner]) = (moneyOf(owner), ownedBy(owner));
        }
        for (uint256 i = 0; i < sites.length; ++i) {
            (uint64 units, uint256 bondMicro) = delivery.obligationOf(product, sites[i]);
            (owedBefore[sites[i]], bondBefore[sites[i]]) = (units, bondMicro);
        }
    }

    /// @dev A further round with an empty book; what the last one left is where everyone starts.
    function openRound() internal {
        round = exchange.currentRound();
        delete placed;
        (tradedUnits, tradedTick) = (0, 0);
        openAccounts();
    }

    function moneyOf(address owner) internal view returns (uint256) {
        return treasury.cashOf(owner) + dollar.balanceOf(owner);
    }

    function unitsOf(address owner) internal view returns (uint256) {
        return capacity.balanceOf(owner, product);
    }

    /// @dev With what waits to be collected.
    function ownedBy(address owner) internal view returns (uint256) {
        return unitsOf(owner) + exchange.heldOf(product, owner);
    }

    function escrowOf(uint256 product_) internal view returns (uint256 escrowMicro) {
        (,,,, escrowMicro) = exchange.bookOf(product_);
    }

    /* CHANCE */

    function seed(uint256 value) internal {
        _seed = value;
    }

    function random(uint256 min, uint256 max) internal returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return min + _seed % (max - min + 1);
    }

    /* PLACE */

    function record(Kind kind, address owner, uint32 site, uint16 tick, uint64 units) internal {
        (, uint32 count,,,) = exchange.bookOf(product);
        recordAt(count - 1, kind, owner, site, tick, units);
    }

    function recordAt(uint32 slot, Kind kind, address owner, uint32 site, uint16 tick, uint64 units) internal {
        uint64 standing = uint64(volumes[round].standing[kind == Kind.BID][tick]);
        placed.push(Placed(kind, owner, site, tick, slot, standing, units, false, 0));
        volumes[round].add(kind == Kind.BID, tick, units);
    }

    function placeBid(User memory owner, uint16 tick, uint64 units) internal {
        bidAs(owner.addr, product, tick, units);
        record(Kind.BID, owner.addr, 0, tick, units);
    }

    function placeAsk(User memory owner, uint16 tick, uint64 units) internal {
        askAs(owner.addr, product, tick, units);
        record(Kind.ASK, owner.addr, 0, tick, units);
    }

    function placeOffer(uint32 site, uint16 tick, uint64 units) internal {
        offerAs(provider.addr, site, product, tick, units);
        record(Kind.OFFER, provider.addr, site, tick, units);
    }

    /// @dev The same, signed by its owner and relayed by a stranger.
    function relay(User memory owner, Kind kind, uint32 site, uint16 tick, uint64 units) internal {
        SignedOrder[] memory orders = new SignedOrder[](1);
        orders[0] = signed(owner, kind, site, product, tick, units, _signedOrders[owner.addr]++);
        exchange.placeSigned(orders, new uint32[](0));
        record(kind, owner.addr, site, tick, units);
    }

    /// @dev Up to so many orders somewhere on the grid, close together or far apart, small or up to a full tick; everyone
    /// has units to resell.
    function placeAnyBook(uint256 orders, uint256 width, uint256 bits) internal {
        uint256 span = [uint256(0), 1, 3, 12, 200, 1022][width % 6];
        uint256 base = random(1, 1023 - span);
        for (uint256 i = 0; i < orders; ++i) {
            placeRandom(base, base + span, MIN_UNITS + (1 << (bits % 33)));
        }
    }

    function stockEveryone() internal {
        for (uint256 i = 0; i < people.length; ++i) {
            stock(people[i].addr, uint64(random(MIN_UNITS, UNITS_MAX)));
        }
        openAccounts();
    }

    /// @dev Any order within the ticks, of at most that many units: sent or signed; nothing if no room is left.
    function placeRandom(uint256 low, uint256 high, uint256 most) internal {
        Kind kind = [Kind.BID, Kind.BID, Kind.ASK, Kind.OFFER][random(0, 3)];
        User memory owner = kind == Kind.OFFER ? provider : people[random(0, people.length - 1)];
        uint16 tick = uint16(random(low, high));
        uint32 site = kind == Kind.OFFER ? sites[random(0, sites.length - 1)] : 0;
        uint256 room = UNITS_MAX - volumes[round].standing[kind == Kind.BID][tick];
        if (kind == Kind.ASK && unitsOf(owner.addr) < room) room = unitsOf(owner.addr);
        if (kind == Kind.OFFER) {
            uint256 free = capacity.availableUnits(site, uint32(startOf(product) / 1 hours), HOURS);
            if (free < room) room = free;
        }
        if (room < MIN_UNITS) return;
        uint64 units = uint64(random(MIN_UNITS, most < MIN_UNITS ? MIN_UNITS : most));
        if (units > room) units = uint64(room);
        if (_signedOrders[owner.addr] < 80 && random(0, 2) == 0) relay(owner, kind, site, tick, units);
        else if (kind == Kind.BID) placeBid(owner, tick, units);
        else if (kind == Kind.ASK) placeAsk(owner, tick, units);
        else placeOffer(site, tick, units);
    }

    /* CLEAR */

    /// @dev DESIGN §4.4, in micro for one unit and all hours.
    function priceOf(uint256 tick) internal pure returns (uint256) {
        return HOURS * (128 + tick % 128) * 2 ** (tick / 128) * TICK_SIZE;
    }

    /// @dev The class's penalty margin for one unit and all hours: a tenth of the bond price.
    function marginOf() internal pure returns (uint256) {
        return uint256(HOURS) * BOND_PRICE / 10;
    }

    /// @dev One unit's margin at a limit: the class's, or what brings it up to the bond of the site's other units.
    function marginOf(uint32 site, uint256 tick) internal view returns (uint256) {
        uint256 owed = owedBefore[site];
        uint256 floor = owed == 0 ? 0 : (bondBefore[site] + owed - 1) / owed;
        return floor > priceOf(tick) + marginOf() ? floor - priceOf(tick) : marginOf();
    }

    /// @dev Ends the round and clears it, against the rule; what it gives each order is written down.
    function clearRound() internal {
        nextRound();
        exchange.clear(product, round);
        recordClearing();
        (bool cleared, uint16 priceTick, uint64 units) = exchange.clearingOf(product, round);
        assertTrue(cleared, "cleared");
        assertEq(priceTick, tradedTick, "price tick");
        assertEq(units, tradedUnits, "units");
    }

    function recordClearing() internal {
        Rule.Outcome memory o = volumes[round].clear();
        (tradedUnits, tradedTick) = (o.units, o.tick);
        for (uint256 i = 0; i < placed.length; ++i) {
            Placed storage p = placed[i];
            p.fill = uint64(Rule.fill(o, p.kind == Kind.BID, p.tick, p.prefix, p.units));
        }
    }

    /* SETTLE */

    /// @dev All orders of the round in a random order and random portions, with strays among them: settled ones, doubles,
    /// and slots that do not exist.
    function settleRandomly() internal {
        uint256[] memory order = new uint256[](placed.length);
        for (uint256 i = 0; i < order.length; ++i) {
            uint256 j = random(0, i);
            order[i] = order[j];
            order[j] = i;
        }
        for (uint256 next = 0; next < order.length;) {
            uint256 size = random(1, 6);
            uint32[] memory indices = new uint32[](size);
            for (uint256 i = 0; i < size; ++i) {
                if (next == order.length || random(0, 5) == 0) indices[i] = uint32(random(0, placed.length + 300));
                else indices[i] = placed[order[next++]].index;
            }
            settleExactly(indices);
        }
    }

    /// @dev Settles these slots; the event names exactly the fills of those that wait.
    function settleExactly(uint32[] memory indices) internal {
        uint256[] memory fills = new uint256[](indices.length);
        uint256 waiting = 0;
        for (uint256 i = 0; i < indices.length; ++i) {
            for (uint256 j = 0; j < placed.length; ++j) {
                Placed storage p = placed[j];
                if (p.index != indices[i] || p.settled) continue;
                fills[i] = entry(p.kind, p.index, p.fill);
                p.settled = true;
                ++waiting;
            }
        }
        if (waiting == 0) {
            vm.expectRevert(
                abi.encodeWithSelector(IExchange.Exchange_NothingToSettle.selector, product, round, indices.length)
            );
        } else {
            vm.expectEmit(address(exchange));
            emit IExchange.Settled(product, round, fills);
        }
        exchange.settle(product, round, indices);
    }

    /// @dev `kind 2 | index 32 | units 32`.
    function entry(Kind kind, uint256 index, uint256 fill) internal pure returns (uint256) {
        return (uint256(kind) * 2 ** 32 + index) * 2 ** 32 + fill;
    }

    /* ALL IS SETTLED */

    mapping(address owner => int256) private _money;
    mapping(address owner => int256) private _units;
    mapping(uint32 site => uint256) private _sold;
    mapping(uint32 site => uint256) private _bond;

    /// @dev What every order must have changed, and nothing else: money, units, obligations, bonds, calendars; the book
    /// is empty-handed but for what other rounds hold.
    function assertAllSettled(uint256 escrowElsewhere, uint256 unitsElsewhere) internal {
        uint256 bought = 0;
        uint256 sold = 0;
        for (uint256 i = 0; i < placed.length; ++i) {
            Placed memory p = placed[i];
            if (p.fill != 0) assertTrue(p.kind == Kind.BID ? p.tick >= tradedTick : p.tick <= tradedTick, "limit");
            (, bool settled) = exchange.orderOf(product, p.index);
            assertTrue(settled, "settled");
            if (p.kind == Kind.BID) bought += p.fill;
            else sold += p.fill;
            _account(p, p.fill, p.fill * priceOf(tradedTick));
        }
        assertEq(bought, tradedUnits, "bought");
        assertEq(sold, tradedUnits, "sold");
        _assertOwned(provider.addr);
        for (uint256 i = 0; i < people.length; ++i) {
            _assertOwned(people[i].addr);
        }
        for (uint256 i = 0; i < sites.length; ++i) {
            _assertSite(sites[i]);
        }
        assertEq(escrowOf(product), escrowElsewhere, "escrow");
        assertEq(unitsOf(address(exchange)), unitsElsewhere, "units in escrow");
    }

    function _account(Placed memory p, uint256 fill, uint256 paid) private {
        if (p.kind == Kind.OFFER) {
            uint256 margin = fill * marginOf(p.site, p.tick);
            _sold[p.site] += fill;
            _bond[p.site] += paid + margin;
            _money[p.owner] -= int256(margin);
        } else if (p.kind == Kind.ASK) {
            _money[p.owner] += int256(paid);
            _units[p.owner] -= int256(fill);
        } else {
            _money[p.owner] -= int256(paid);
            _units[p.owner] += int256(fill);
        }
    }

    function _assertOwned(address owner) private {
        assertEq(int256(moneyOf(owner)), int256(moneyBefore[owner]) + _money[owner], "money");
        assertEq(int256(ownedBy(owner)), int256(unitsBefore[owner]) + _units[owner], "units");
        (_money[owner], _units[owner]) = (0, 0);
    }

    function _assertSite(uint32 site) private {
        (uint64 units, uint256 bondMicro) = delivery.obligationOf(product, site);
        assertEq(units, owedBefore[site] + _sold[site], "obligation");
        assertEq(bondMicro, bondBefore[site] + _bond[site], "bond");
        uint32 hour = uint32(startOf(product) / 1 hours);
        assertEq(capacity.committedUnits(site, hour), units, "first hour");
        assertEq(capacity.committedUnits(site, hour + HOURS - 1), units, "last hour");
        (units,,,) = delivery.reservedOf(product, site);
        assertEq(units, 0, "reserved");
        (_sold[site], _bond[site]) = (0, 0);
    }

    /* READ */

    function orderAt(uint32 index) internal view returns (Order order, bool settled) {
        return exchange.orderOf(product, index);
    }
}
