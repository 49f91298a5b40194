// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestDollar} from "../../../contracts/dev/TestDollar.sol";
import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {Kind} from "../../../contracts/types/Order.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Test} from "../support/Test.sol";
import {Puppet} from "../support/recipients/Puppet.sol";

/// @title World
/// @notice What all handlers share: the market, its people, a few products at a time, and the ghosts: what must be true
/// of the market by what was done to it.
abstract contract World is Test {
    struct Refs {
        IStandard standard;
        ICapacity capacity;
        ITreasury treasury;
        IExchange exchange;
        IDelivery delivery;
        TestDollar dollar;
        Puppet puppet;
    }

    /// @notice What people do. Each is counted when it was tried and when it was done.
    enum Act {
        REGISTER,
        OFFER,
        MINT,
        RETIRE,
        REPORT,
        ABORT,
        BID,
        REDEEM,
        ACCEPT,
        DISPUTE,
        ASK,
        SPLIT,
        MERGE,
        RELAX,
        TRANSFER,
        RELAY,
        CLEAR,
        SETTLE,
        RESOLVE,
        EXPIRE,
        COLLECT,
        DEPOSIT,
        WITHDRAW,
        REVOKE,
        RULE,
        ATTEST,
        PAUSE,
        LEGISLATE,
        STEAL,
        PASS
    }

    /// @dev An order as its owner meant it, and its slot in the book. `marginMicro` is an offer's, for one unit.
    struct Placed {
        address owner;
        uint32 slot;
        Kind kind;
        uint16 tick;
        uint32 units;
        uint32 site;
        bool settled;
        uint256 marginMicro;
    }

    /// @dev The orders of one product and round. `bought` and `sold` are fills that were settled.
    struct Batch {
        uint256 product;
        uint64 round;
        bool cleared;
        uint16 tick;
        uint64 volume;
        uint64 bought;
        uint64 sold;
        uint32 waiting;
        uint256[] orders;
    }

    uint256 internal constant ROUND = 60;
    uint256 internal constant LEAD = 600;
    uint256 internal constant REPORT_PERIOD = 24 hours;
    uint256 internal constant DISPUTE_PERIOD = 24 hours;
    uint256 internal constant RULING_PERIOD = 72 hours;
    uint256 internal constant GRACE = 1 hours;
    uint8 internal constant AI_LARGE = 1;
    uint16 internal constant FRANKFURT = 11;
    uint16 internal constant EU_WEST = 10;
    uint256 internal constant MIN_UNITS = 10;
    uint256 internal constant MOST_UNITS = 60;
    uint256 internal constant FAMILIES = 6;
    /// @dev Eight neighbouring ticks.
    uint256 internal constant TICK_LOW = 250;
    uint256 internal constant TICK_HIGH = 257;

    Refs internal m;
    /// @notice Everyone who can have money or units; the thief is the last.
    address[] public people;
    mapping(address => User) internal keyOf;
    address internal committee;
    address internal auditor;
    address internal arbiter;
    address internal guardian;
    address internal thief;

    /* GHOSTS */

    /// @notice How often each act was tried, and done.
    mapping(Act => uint256) public tried;
    mapping(Act => uint256) public done;
    mapping(IDelivery.Reason => uint256) public ended;
    uint256 public tradedUnits;
    /// @notice A bit for each invariant that an act broke.
    uint256 public broken;

    uint32[] internal sites;
    /// @dev Products that are not over yet, and their number in the list counted from 1.
    uint256[] internal products;
    mapping(uint256 product => uint256) internal productAt;
    Batch[] internal batches;
    mapping(uint256 product => mapping(uint64 round => uint256)) internal batchAt;
    Placed[] internal orders;
    /// @dev The last order in a slot, counted from 1.
    mapping(uint256 product => mapping(uint32 slot => uint256)) internal orderAt;
    /// @dev Leases that have not ended.
    uint64[] internal leases;

    mapping(uint32 site => uint256) internal attested;
    mapping(uint32 site => uint256) internal deliveredMilliHours;
    mapping(uint32 site => uint256) internal failedMilliHours;
    mapping(uint256 product => mapping(uint32 site => uint256)) internal marginMicro;
    /// @dev Units that are no obligation any more but still have their hours: leased, or left to expire.
    mapping(uint256 product => mapping(uint32 site => uint256)) internal spent;
    /// @dev Hours held by products that are over.
    mapping(uint32 site => mapping(uint256 hour => uint256)) internal overHours;
    /// @dev The last bond and units of an obligation: what no act may thin.
    mapping(uint256 product => mapping(uint32 site => uint256)) internal levelBond;
    mapping(uint256 product => mapping(uint32 site => uint256)) internal levelUnits;
    /// @dev Who was that person's account last: epoch, round, marks of signed orders.
    mapping(address => uint256[3]) internal lastAccount;

    uint256 internal seed;
    uint256 private _calls;

    /* ACTS */

    /// @dev Runs an act with a seed of its own, then looks at what must hold after any act.
    modifier acts(uint256 seed_) {
        // Fuzzers repeat their favourite numbers: the count makes each call another.
        seed = uint256(keccak256(abi.encode(seed_, ++_calls)));
        _;
        _afterAct();
    }

    function _afterAct() internal virtual;

    function _did(Act act) internal {
        ++done[act];
    }

    /// @dev The call, made by `caller`, must fail.
    function _attempt(address caller, address target, bytes memory data, string memory what) internal {
        vm.prank(caller);
        (bool passed,) = target.call(data);
        _check(17, !passed, what);
    }

    /// @dev Marks an invariant as broken, unless it holds.
    function _check(uint256 invariant_, bool holds, string memory what) internal {
        if (holds) return;
        broken |= 1 << invariant_;
        emit log(what);
    }

    /* CHANCE */

    function _random(uint256 least, uint256 most) internal returns (uint256) {
        seed = uint256(keccak256(abi.encode(seed)));
        return least + seed % (most - least + 1);
    }

    function _chance(uint256 percent) internal returns (bool) {
        return _random(1, 100) <= percent;
    }

    /// @dev Someone who is no thief.
    function _anyone() internal returns (address) {
        return people[_random(0, people.length - 2)];
    }

    function _anySite() internal returns (uint32) {
        return sites[_random(0, sites.length - 1)];
    }

    /// @dev Buyers look high, sellers low: orders cross more often than not.
    function _bidTick() internal returns (uint16) {
        return uint16(_random(TICK_LOW + 2, TICK_HIGH));
    }

    function _askTick() internal returns (uint16) {
        return uint16(_random(TICK_LOW, TICK_HIGH - 2));
    }

    /* TIME */

    function _now() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function _round() internal view returns (uint64) {
        return uint64(_now() / ROUND);
    }

    /// @dev The clock at `timestamp`, if that is not past. While it runs for long, the market lives on.
    function _waitUntil(uint256 timestamp) internal {
        if (timestamp > _now() + 20 minutes) _liveOn();
        if (timestamp <= _now()) return;
        vm.warp(timestamp);
        vm.roll(vm.getBlockNumber() + 1);
    }

    /// @dev What others do meanwhile.
    function _liveOn() internal virtual;

    /* PRODUCTS */

    /// @dev The next even hour at which a product can still be traded.
    function _openHour() internal view returns (uint256) {
        uint256 ready_s = (_now() / ROUND + 1) * ROUND + LEAD;
        return (ready_s + 2 hours - 1) / 2 hours * 2;
    }

    /// @dev Windows that share hours: two hours in METRO, in HUB, in HUB as PREMIUM, their hours, and four hours.
    function _productOf(uint256 family, uint256 hour) internal pure returns (uint256) {
        uint256 tier = family == 0 ? 1 : 2;
        uint256 area = family == 0 ? FRANKFURT : EU_WEST;
        uint256 grade = family == 5 ? 3 : 1;
        uint256 length = family == 4 ? 4 : family == 2 || family == 3 ? 1 : 2;
        if (family == 3) ++hour;
        return (uint256(AI_LARGE) << 80) | (tier << 72) | (area << 56) | (grade << 48) | (hour << 16) | length;
    }

    /// @dev One that can be traded now: mostly one that has orders in this round, else mostly the same.
    function _tradable() internal returns (uint256) {
        uint256 from = _random(0, 99);
        for (uint256 i = 0; from < 80 && i < batches.length; ++i) {
            Batch storage b = batches[(from + i) % batches.length];
            if (b.round == _round()) return b.product;
        }
        return _productOf(_chance(50) ? 1 : _random(0, FAMILIES - 1), _openHour());
    }

    function _touch(uint256 product) internal {
        if (productAt[product] != 0) return;
        products.push(product);
        productAt[product] = products.length;
    }

    function _start(uint256 product) internal pure returns (uint256) {
        return ProductId.wrap(product).startOf();
    }

    function _end(uint256 product) internal pure returns (uint256) {
        return ProductId.wrap(product).endOf();
    }

    function _hours(uint256 product) internal pure returns (uint256) {
        return ProductId.wrap(product).hoursOf();
    }

    /// @dev A product that is not over, from a random one on, for which `fits` says yes; 0 if there is none.
    function _find(function(uint256) internal returns (bool) fits) internal returns (uint256) {
        uint256 count = products.length;
        if (count == 0) return 0;
        uint256 from = _random(0, count - 1);
        for (uint256 i = 0; i < count; ++i) {
            uint256 product = products[(from + i) % count];
            if (fits(product)) return product;
        }
        return 0;
    }

    /// @dev Someone, from a random person on, who holds units of the product; nobody if there is none.
    function _holderOf(uint256 product) internal returns (address holder, uint256 units) {
        uint256 from = _random(0, people.length - 1);
        for (uint256 i = 0; i < people.length; ++i) {
            holder = people[(from + i) % people.length];
            units = m.capacity.balanceOf(holder, product);
            if (units != 0) return (holder, units);
        }
        return (address(0), 0);
    }

    /// @dev A site, from a random one on, that owes units of the product; 0 if there is none.
    function _debtorOf(uint256 product) internal returns (uint32 site, uint256 units) {
        uint256 from = _random(0, sites.length - 1);
        for (uint256 i = 0; i < sites.length; ++i) {
            site = sites[(from + i) % sites.length];
            (units,) = m.delivery.obligationOf(product, site);
            if (units != 0) return (site, units);
        }
        return (0, 0);
    }

    function _offersWait(uint256 product, uint32 site) internal view returns (bool) {
        (uint64 units,,,) = m.delivery.reservedOf(product, site);
        return units != 0;
    }

    /* THE RULES, WRITTEN ONCE MORE */

    /// @dev What one unit costs at a tick for the whole window, by the terms of the product's book.
    function _price(uint256 product, uint256 tick) internal view returns (uint256) {
        (,, uint32 tickSize,,) = m.exchange.bookOf(product);
        return (128 + tick % 128) * 2 ** (tick / 128) * tickSize * _hours(product);
    }

    /// @dev Attested units less what the record costs, never below a fifth.
    function _cap(uint32 site) internal view returns (uint256) {
        (uint256 good, uint256 bad) = (deliveredMilliHours[site], failedMilliHours[site]);
        uint256 share = bad == 0 ? 10_000 : good * 10_000 / (good + bad);
        return attested[site] * (share < 2000 ? 2000 : share) / 10_000;
    }

    function _counted(uint256 product, uint256 milli, uint256 full) internal pure returns (uint256) {
        uint256[4] memory promise_ = [uint256(0), 9500, 9900, 9990];
        return milli * 10_000 >= full * promise_[ProductId.wrap(product).gradeOf()] ? full : milli;
    }

    function _min(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }
}
