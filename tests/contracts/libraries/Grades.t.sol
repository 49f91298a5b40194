// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Grades} from "../../../contracts/libraries/Grades.sol";
import {BASIC, PREMIUM, STANDARD} from "../../../contracts/types/ProductId.sol";
import {Test} from "../support/Test.sol";

contract Grades_Test is Test {
    /// @dev A lease's units are below 2^32, in thousandths below 2^42.
    uint256 private constant FULL_MAX = 2 ** 42 - 1;
    /// @dev Record counters have 128 bits.
    uint256 private constant RECORD_MAX = 2 ** 128 - 1;

    function test_promiseBp_isTheDesigns() public pure {
        assertEq(Grades.promiseBp(BASIC), 9500);
        assertEq(Grades.promiseBp(STANDARD), 9900);
        assertEq(Grades.promiseBp(PREMIUM), 9990);
    }

    /* COUNTED */

    function testFuzz_counted_isFullWhen_promiseIsMet(uint8 grade, uint256 full, uint256 delivered) public pure {
        grade = uint8(bound(grade, BASIC, PREMIUM));
        full = bound(full, 1, FULL_MAX);
        // The least number that is the promised share, rounded up.
        uint256 least = (full * Grades.promiseBp(grade) + 9999) / 10_000;
        delivered = bound(delivered, least, full);
        assertEq(Grades.counted(grade, delivered, full), full);
    }

    function testFuzz_counted_isWhatWasDeliveredWhen_promiseIsMissed(uint8 grade, uint256 full, uint256 delivered)
        public
        pure
    {
        grade = uint8(bound(grade, BASIC, PREMIUM));
        full = bound(full, 1, FULL_MAX);
        uint256 least = (full * Grades.promiseBp(grade) + 9999) / 10_000;
        delivered = bound(delivered, 0, least - 1);
        assertEq(Grades.counted(grade, delivered, full), delivered);
    }

    /* STANDING */

    function testFuzz_standing_isWholeWhen_nothingFailed(uint256 delivered, uint256 floorBp) public pure {
        delivered = bound(delivered, 0, RECORD_MAX);
        floorBp = bound(floorBp, 0, 10_000);
        (uint256 deratingBp, uint8 gradeMax) = Grades.standing(delivered, 0, floorBp);
        assertEq(deratingBp, 10_000);
        assertEq(gradeMax, PREMIUM);
    }

    function testFuzz_standing_isTheShareDelivered(uint256 delivered, uint256 failed, uint256 floorBp) public pure {
        delivered = bound(delivered, 0, RECORD_MAX);
        failed = bound(failed, 1, RECORD_MAX);
        floorBp = bound(floorBp, 0, 10_000);
        (uint256 deratingBp, uint8 gradeMax) = Grades.standing(delivered, failed, floorBp);

        assertGe(deratingBp, floorBp);
        assertLe(deratingBp, 10_000);
        uint256 total = delivered + failed;
        // floor(delivered / total): at most the share, and less than one basis point under it.
        if (deratingBp > floorBp) {
            assertLe(deratingBp * total, delivered * 10_000);
            assertGt((deratingBp + 1) * total, delivered * 10_000);
        } else {
            assertLe(delivered * 10_000, (floorBp + 1) * total);
        }
        assertGe(gradeMax, BASIC);
        assertEq(gradeMax >= STANDARD, delivered * 10_000 >= 9900 * total, "STANDARD");
        assertEq(gradeMax == PREMIUM, delivered * 10_000 >= 9990 * total, "PREMIUM");
    }

    function testFuzz_standing_neverGainsByFailing(uint256 delivered, uint256 failed, uint256 more, uint256 floorBp)
        public
        pure
    {
        delivered = bound(delivered, 0, RECORD_MAX);
        failed = bound(failed, 0, RECORD_MAX - 1);
        more = bound(more, 1, RECORD_MAX - failed);
        floorBp = bound(floorBp, 0, 10_000);
        (uint256 deratingBp, uint8 gradeMax) = Grades.standing(delivered, failed, floorBp);
        (uint256 deratingBpAfter, uint8 gradeMaxAfter) = Grades.standing(delivered, failed + more, floorBp);
        assertLe(deratingBpAfter, deratingBp);
        assertLe(gradeMaxAfter, gradeMax);
    }

    function testFuzz_standing_neverLosesByDelivering(uint256 delivered, uint256 failed, uint256 more, uint256 floorBp)
        public
        pure
    {
        delivered = bound(delivered, 0, RECORD_MAX - 1);
        failed = bound(failed, 0, RECORD_MAX);
        more = bound(more, 1, RECORD_MAX - delivered);
        floorBp = bound(floorBp, 0, 10_000);
        (uint256 deratingBp, uint8 gradeMax) = Grades.standing(delivered, failed, floorBp);
        (uint256 deratingBpAfter, uint8 gradeMaxAfter) = Grades.standing(delivered + more, failed, floorBp);
        assertGe(deratingBpAfter, deratingBp);
        assertGe(gradeMaxAfter, gradeMax);
    }

    /* PROOFS */

    function check_counted_isAtMostFull(uint8 grade, uint256 delivered, uint256 full) public pure {
        vm.assume(full <= FULL_MAX && delivered <= full);
        assert(Grades.counted(grade, delivered, full) <= full);
    }

    function check_counted_isAtLeastWhatWasDelivered(uint8 grade, uint256 delivered, uint256 full) public pure {
        vm.assume(full <= FULL_MAX && delivered <= full);
        assert(Grades.counted(grade, delivered, full) >= delivered);
    }

    /// @dev Step by step, hence over any distance: the solver does not find the way over a whole interval.
    function check_counted_isMonotone(uint8 grade, uint48 delivered, uint48 full) public pure {
        vm.assume(delivered < full);
        assert(Grades.counted(grade, delivered, full) <= Grades.counted(grade, uint256(delivered) + 1, full));
    }

    /// @dev A better grade never counts more for the provider.
    function check_counted_isNoMoreForABetterGrade(uint8 grade, uint256 delivered, uint256 full) public pure {
        vm.assume(grade >= BASIC && grade < PREMIUM && full <= FULL_MAX && delivered <= full);
        assert(Grades.counted(grade + 1, delivered, full) <= Grades.counted(grade, delivered, full));
    }
}
