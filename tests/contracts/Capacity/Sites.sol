// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Market} from "../support/Market.sol";
import {Puppet} from "../support/recipients/Puppet.sol";

/// @title Sites
/// @notice What the tests of Capacity share: two providers with a site each in Frankfurt, products drawn from a seed,
/// and the rules of bonds and calendars written once more.
abstract contract Sites is Market {
    uint8 internal constant METRO = 1;
    uint8 internal constant HUB = 2;
    uint8 internal constant WIDE = 3;
    uint32 internal constant DEVICES = 100;
    /// @dev What the sites may commit in an hour: a thousand units a device.
    uint64 internal constant CAP = 100_000;
    uint256 internal constant ONE_BP = 10_000;

    uint32 internal site;
    User internal rival;
    uint32 internal rivalSite;

    function setUp() public virtual override {
        super.setUp();
        site = attestedSite(provider.addr, DEVICES);
        rival = makeUser("rival");
        fund(rival.addr, FUNDS);
        rivalSite = attestedSite(rival.addr, DEVICES);
    }

    /* PRODUCTS */

    /// @dev Where a Frankfurt site lies, by tier.
    function areaOf(uint8 tier) internal pure returns (uint16) {
        return tier == METRO ? FRANKFURT : tier == HUB ? EU_WEST : 0;
    }

    /// @dev Any product that the sites may issue: every tier and grade, from the next hour to three days ahead.
    function anyProduct(uint256 seed, uint256 minHours, uint256 maxHours) internal view returns (uint256) {
        uint8 tier = uint8(METRO + seed % 3);
        uint8 grade = uint8(1 + (seed >> 8) % 3);
        return productIn(
            tier, areaOf(tier), grade, 1 + (seed >> 16) % 72, uint16(bound((seed >> 32) % 2 ** 32, minHours, maxHours))
        );
    }

    function startHourOf(uint256 product) internal pure returns (uint32) {
        return uint32(startOf(product) / 1 hours);
    }

    function hoursOf(uint256 product) internal pure returns (uint16) {
        return uint16((endOf(product) - startOf(product)) / 1 hours);
    }

    /// @dev The one-hour product that is the window's hour `index`.
    function hourOf(uint256 product, uint256 index) internal pure returns (uint256) {
        return product - hoursOf(product) + 1 + index * 2 ** 16;
    }

    /* BONDS */

    /// @dev Bond price and margin of a tenth, rounded up.
    function fullBond(uint256 product, uint256 units) internal pure returns (uint256) {
        return (units * hoursOf(product) * BOND_PRICE * 11_000 + ONE_BP - 1) / ONE_BP;
    }

    function owedBy(uint32 site_, uint256 product) internal view returns (uint64 units) {
        (units,) = delivery.obligationOf(product, site_);
    }

    function bondOf(uint32 site_, uint256 product) internal view returns (uint256 bond) {
        (, bond) = delivery.obligationOf(product, site_);
    }

    /// @dev The units' part of the bond that stands, rounded down.
    function shareOf(uint32 site_, uint256 product, uint256 units) internal view returns (uint256) {
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site_);
        return bond * units / owed;
    }

    /* CALENDAR */

    /// @dev The site has committed so much in every hour of the window, and nothing right before and after it.
    function assertCommitted(uint32 site_, uint256 product, uint256 units) internal view {
        uint32 start = startHourOf(product);
        for (uint32 i = 0; i < hoursOf(product); ++i) {
            assertEq(capacity.committedUnits(site_, start + i), units, "committed");
        }
        assertEq(capacity.committedUnits(site_, start - 1), 0, "before the window");
        assertEq(capacity.committedUnits(site_, start + hoursOf(product)), 0, "after the window");
    }

    /* ACTS */

    /// @dev Units of a site, in the hands of `to`.
    function issueTo(address to, address owner, uint32 site_, uint256 product, uint64 units) internal {
        mintAs(owner, site_, product, units);
        vm.prank(owner);
        capacity.safeTransferFrom(owner, to, product, units, "");
    }

    function attestAs(uint32 site_, uint64 units, uint8 grade, uint256 validUntil_s) internal {
        vm.prank(auditor);
        capacity.attest(site_, units, grade, keccak256("measured"), uint64(validUntil_s));
    }

    /// @dev Gives the site a delivery record: a lease of one hour, which its provider holds itself.
    function record(uint32 site_, uint64 units, uint64 deliveredMilli) internal {
        address owner = capacity.providerOf(site_);
        uint256 product = productIn(HUB, EU_WEST, 1, 1, 1);
        mintAs(owner, site_, product, units);
        vm.startPrank(owner);
        uint64 lease = delivery.redeem(product, site_, units, "");
        goTo(startOf(product));
        delivery.report(lease, deliveredMilli, "");
        delivery.accept(lease);
        vm.stopPrank();
    }

    /// @dev A provider that is a contract, with a site like the others'.
    function puppetWithSite() internal returns (Puppet puppet, uint32 puppetSite) {
        puppet = new Puppet();
        fund(address(puppet), FUNDS);
        puppetSite = attestedSite(address(puppet), DEVICES);
    }

    /// @dev A second class, so that a product can be one of the standard's and not of the site's.
    function addClass(uint8 class) internal {
        vm.prank(committee);
        standard.setClass(class, IStandard.ClassTerms("OTHER", "", 16, TICK_SIZE, MIN_UNITS, BOND_PRICE));
    }

    /// @dev The product, of another class.
    function ofClass(uint256 product, uint8 class) internal pure returns (uint256) {
        return product % 2 ** 80 + uint256(class) * 2 ** 80;
    }
}
