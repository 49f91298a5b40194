// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProRata} from "../../../contracts/libraries/ProRata.sol";
import {Test} from "../support/Test.sol";

/// @notice `check_…` are proofs for every 32-bit input, by halmos. That shares add up is proven outright. The three bounds
/// are more than its solvers can do at once (a symbolic 64-bit product over a symbolic 32-bit divisor), so that they are
/// led by hand: each assumes the definition of floor division for its own quotients, which is what the EVM's DIV
/// computes, and instances of four laws of multiplication that are proven below over wider ranges than they are used in.
contract ProRata_share_Test is Test {
    uint256 private constant UNITS_MAX = type(uint32).max;

    /* PROOFS: SHARES ADD UP */

    function check_share_addsUp(uint32 prefix, uint32 first, uint32 second, uint32 filled, uint32 standing)
        public
        pure
    {
        vm.assume(standing != 0 && filled <= standing);
        vm.assume(uint256(prefix) + first + second <= standing);
        uint256 one = ProRata.share(prefix, first, filled, standing);
        uint256 two = ProRata.share(uint256(prefix) + first, second, filled, standing);
        uint256 both = ProRata.share(prefix, uint256(first) + second, filled, standing);
        unchecked {
            assertEq(one + two, both);
        }
    }

    /* PROOFS: BOUNDS */

    function check_share_wholeTickGetsAllFilled(uint32 filled, uint32 standing) public view {
        vm.assume(standing != 0 && filled <= standing);
        (uint256 q, uint256 v) = (filled, standing);
        unchecked {
            uint256 d = v * q / v;
            _assumeFloor(d, v, q, v);
            _assumeBounded(v, q);
            // Not below, else (d + 1)·v <= q·v; not above, else (q + 1)·v <= d·v.
            _assumeDistributes(d, 0, v);
            _assumeDistributes(q, 0, v);
            _assumeMonotone(d + 1, q, v);
            _assumeMonotone(q + 1, d, v);
        }
        assertEq(ProRata.share(0, v, q, v), q);
    }

    function check_share_isNotNegative(uint32 prefix, uint32 units, uint32 filled, uint32 standing) public view {
        vm.assume(standing != 0 && filled <= standing);
        vm.assume(uint256(prefix) + units <= standing);
        (uint256 p, uint256 u, uint256 q, uint256 v) = (prefix, units, filled, standing);
        unchecked {
            uint256 high = (p + u) * q / v;
            uint256 low = p * q / v;
            _assumeFloor(high, p + u, q, v);
            _assumeFloor(low, p, q, v);
            _assumeBounded(p, q);
            _assumeBounded(u, q);
            // Else (high + 1)·v <= low·v <= p·q <= (p + u)·q < (high + 1)·v.
            vm.assume(this.times(p + u, q) == this.times(p, q) + this.times(u, q));
            _assumeMonotone(high + 1, low, v);
            _assumeDistributes(high, 0, v);
            assertLe(low, high);
            assertEq(ProRata.share(p, u, q, v), high - low);
        }
    }

    function check_share_isAtMostUnits(uint32 prefix, uint32 units, uint32 filled, uint32 standing) public view {
        vm.assume(standing != 0 && filled <= standing);
        vm.assume(uint256(prefix) + units <= standing);
        (uint256 p, uint256 u, uint256 q, uint256 v) = (prefix, units, filled, standing);
        unchecked {
            uint256 high = (p + u) * q / v;
            uint256 low = p * q / v;
            _assumeFloor(high, p + u, q, v);
            _assumeFloor(low, p, q, v);
            _assumeBounded(p, q);
            _assumeBounded(u, v);
            // Else (low + u + 1)·v <= high·v <= (p + u)·q <= p·q + u·v < low·v + v + u·v.
            vm.assume(this.times(p + u, q) == this.times(p, q) + this.times(u, q));
            vm.assume(this.times(u, q) <= this.times(u, v));
            _assumeMonotone(low + u + 1, high, v);
            _assumeDistributes(low, u, v);
            assertLe(low + ProRata.share(p, u, q, v), low + u);
        }
    }

    /* PROOFS: THE LAWS THAT THE BOUNDS USE */

    function check_law_commutes(uint64 x, uint64 y) public view {
        assertEq(this.times(x, y), this.times(y, x));
    }

    function check_law_bounded(uint64 x, uint32 y) public view {
        assertLt(this.times(x, y), 1 << 96);
    }

    function check_law_distributes(uint64 x, uint64 y, uint32 z) public view {
        unchecked {
            assertEq(this.times(uint256(x) + y, z), this.times(x, z) + this.times(y, z));
            assertEq(this.times(uint256(x) + y + 1, z), this.times(x, z) + this.times(y, z) + z);
        }
    }

    function check_law_monotone(uint64 x, uint64 more, uint32 z) public view {
        unchecked {
            assertLe(this.times(x, z), this.times(uint256(x) + more, z));
            assertLe(this.times(z, x), this.times(z, uint256(x) + more));
        }
    }

    /// @dev External, so that the compiler does not swap the factors: the solver takes x·y and y·x for two things until
    /// it is told.
    function times(uint256 x, uint256 y) external pure returns (uint256) {
        unchecked {
            return x * y;
        }
    }

    /// @dev The definition of the quotient of x·y by z, rounded down.
    function _assumeFloor(uint256 quotient, uint256 x, uint256 y, uint256 z) private view {
        vm.assume(this.times(x, y) == this.times(y, x));
        unchecked {
            vm.assume(this.times(quotient, z) <= this.times(x, y));
            vm.assume(this.times(x, y) < this.times(quotient, z) + z);
        }
    }

    function _assumeBounded(uint256 x, uint256 y) private view {
        vm.assume(this.times(x, y) < 1 << 96);
    }

    function _assumeDistributes(uint256 x, uint256 y, uint256 z) private view {
        unchecked {
            if (y == 0) vm.assume(this.times(x + 1, z) == this.times(x, z) + z);
            else vm.assume(this.times(x + y + 1, z) == this.times(x, z) + this.times(y, z) + z);
        }
    }

    function _assumeMonotone(uint256 x, uint256 y, uint256 z) private view {
        vm.assume(x > y || this.times(x, z) <= this.times(y, z));
    }

    /* EXAMPLES AND FUZZ */

    function testFuzz_share_sumsToFilledExactly(uint32[] calldata parts, uint256 filled) public pure {
        uint256 standing = 0;
        uint256 n = 0;
        for (; n < parts.length && standing + parts[n] <= UNITS_MAX; ++n) {
            standing += parts[n];
        }
        vm.assume(standing != 0);
        filled = bound(filled, 0, standing);
        uint256 prefix = 0;
        uint256 sum = 0;
        for (uint256 i = 0; i < n; ++i) {
            uint256 share = ProRata.share(prefix, parts[i], filled, standing);
            // Within one unit of the exact part, on either side.
            assertLt(share * standing, uint256(parts[i]) * filled + standing);
            assertLt(uint256(parts[i]) * filled, share * standing + standing);
            assertLe(share, parts[i]);
            prefix += parts[i];
            sum += share;
        }
        assertEq(sum, filled);
    }

    function testFuzz_share_isAllWhen_allIsFilled(uint32 prefix, uint32 units, uint32 more) public pure {
        uint256 standing = bound(uint256(prefix) + units + more, 1, UNITS_MAX);
        uint256 from = bound(prefix, 0, standing);
        uint256 size = bound(units, 0, standing - from);
        assertEq(ProRata.share(from, size, standing, standing), size);
        assertEq(ProRata.share(from, size, 0, standing), 0);
    }

    /// @dev The law that the proofs assume, where the fuzzer reaches: DIV is floor division.
    function testFuzz_division_isFloor(uint64 a, uint32 b) public pure {
        vm.assume(b != 0);
        uint256 quotient = uint256(a) / b;
        assertLe(quotient * b, a);
        assertLt(uint256(a), (quotient + 1) * b);
    }

    function test_share_staysExactWhen_everythingIsLargest() public pure {
        assertEq(ProRata.share(0, UNITS_MAX, UNITS_MAX, UNITS_MAX), UNITS_MAX);
        assertEq(ProRata.share(UNITS_MAX - 1, 1, UNITS_MAX - 1, UNITS_MAX), 1);
        assertEq(ProRata.share(0, 1, UNITS_MAX - 1, UNITS_MAX), 0);
    }
}
