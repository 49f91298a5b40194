// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Lists
/// @notice Lists in memory that grow to a capacity known beforehand.
library Lists {
    struct List {
        uint256[] items;
        uint256 count;
    }

    /// @notice An empty list of at most `most` items.
    function create(uint256 most) internal pure returns (List memory list) {
        list.items = new uint256[](most);
    }

    /// @notice Appends; panics beyond the capacity.
    function add(List memory list, uint256 item) internal pure {
        uint256 count = list.count;
        list.items[count] = item;
        unchecked {
            // count is an index of items: below 2^64 by memory's cost.
            list.count = count + 1;
        }
    }

    /// @notice Appends what is one word as a key of at most 160 bits over an amount of at most 96.
    function addPair(List memory list, uint256 key, uint256 amount) internal pure {
        // The caller keeps amount < 2^96.
        add(list, (key << 96) | amount);
    }

    /// @notice Exactly the items added: without a copy if the list is full.
    function trimmed(List memory list) internal pure returns (uint256[] memory items) {
        if (list.count == list.items.length) return list.items;
        items = new uint256[](list.count);
        for (uint256 i = 0; i < items.length; ++i) {
            items[i] = list.items[i];
        }
    }
}
