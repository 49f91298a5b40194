// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BASIC, PREMIUM, STANDARD} from "../types/ProductId.sol";

/// @title Grades
/// @notice What a grade promises, and what was delivered is worth under it.
library Grades {
    uint256 internal constant ONE_BP = 10_000;

    /// @notice The promised share of the window, in basis points.
    function promiseBp(uint8 grade) internal pure returns (uint256) {
        return grade == PREMIUM ? 9990 : grade == STANDARD ? 9900 : 9500;
    }

    /// @notice What counts as delivered, of `fullMilli`: everything once the promise is met, else what was delivered.
    function counted(uint8 grade, uint256 deliveredMilli, uint256 fullMilli) internal pure returns (uint256) {
        return deliveredMilli * ONE_BP >= promiseBp(grade) * fullMilli ? fullMilli : deliveredMilli;
    }

    /// @notice What a record leaves of the attested units, in basis points, rounded down, and the best grade whose
    /// promise it meets. No record: everything.
    function standing(uint256 delivered, uint256 failed, uint256 floorBp)
        internal
        pure
        returns (uint256 deratingBp, uint8 gradeMax)
    {
        if (failed == 0) return (ONE_BP, PREMIUM);
        uint256 shareBp = delivered * ONE_BP / (delivered + failed);
        deratingBp = shareBp < floorBp ? floorBp : shareBp;
        gradeMax = shareBp >= promiseBp(PREMIUM) ? PREMIUM : shareBp >= promiseBp(STANDARD) ? STANDARD : BASIC;
    }
}
