// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HOURS_MAX, HUB, METRO, PREMIUM, ProductId, WIDE} from "../../../contracts/types/ProductId.sol";
import {Test} from "../support/Test.sol";

/// @dev The layout is written down here a second time, by products instead of shifts.
contract ProductId_Test is Test {
    struct Fields {
        uint8 class;
        uint8 tier;
        uint16 area;
        uint8 grade;
        uint32 startHour;
        uint16 count;
    }

    function _pack(Fields memory f) private pure returns (ProductId) {
        uint256 word = f.class;
        word = word * 2 ** 8 + f.tier;
        word = word * 2 ** 16 + f.area;
        word = word * 2 ** 8 + f.grade;
        word = word * 2 ** 32 + f.startHour;
        word = word * 2 ** 16 + f.count;
        return ProductId.wrap(word);
    }

    function _assertFields(ProductId id, Fields memory f) private pure {
        assertEq(id.classOf(), f.class, "class");
        assertEq(id.tierOf(), f.tier, "tier");
        assertEq(id.areaOf(), f.area, "area");
        assertEq(id.gradeOf(), f.grade, "grade");
        assertEq(id.startHourOf(), f.startHour, "startHour");
        assertEq(id.hoursOf(), f.count, "hours");
    }

    /* FIELDS */

    function testFuzz_fields_comeBack(Fields memory f) public pure {
        _assertFields(_pack(f), f);
    }

    function testFuzz_fields_ignoreUpperBits(Fields memory f, uint256 garbage) public pure {
        _assertFields(ProductId.wrap(_pack(f).raw() | (garbage << 88)), f);
    }

    function testFuzz_raw_isTheWord(uint256 word) public pure {
        assertEq(ProductId.wrap(word).raw(), word);
    }

    function testFuzz_startOfAndEndOf_areHoursInSeconds(Fields memory f) public pure {
        ProductId id = _pack(f);
        assertEq(id.startOf(), uint256(f.startHour) * 3600);
        assertEq(id.endOf(), (uint256(f.startHour) + f.count) * 3600);
    }

    /* WELL FORMED */

    function testFuzz_wellFormed_saysWhatTheRuleSays(Fields memory f, uint8 upper) public pure {
        // Small numbers, so that each condition decides about as often as not.
        (f.tier, f.grade, f.count) = (f.tier % 5, f.grade % 5, uint16(bound(f.count, 0, 200)));
        if (f.area % 2 == 0) f.area = 0;
        uint256 garbage = upper % 4 == 0 ? uint256(upper) << 88 : 0;
        bool place = (f.tier == 3 && f.area == 0) || ((f.tier == 1 || f.tier == 2) && f.area != 0);
        bool expected = garbage == 0 && place && f.grade >= 1 && f.grade <= 3 && f.count >= 1 && f.count <= 168
            && uint256(f.startHour) + f.count <= 2 ** 32;
        assertEq(ProductId.wrap(_pack(f).raw() | garbage).wellFormed(), expected);
    }

    function testFuzz_wellFormed_isTrueFor_everyProductThatCanBe(Fields memory f) public pure {
        f.tier = uint8(bound(f.tier, METRO, WIDE));
        f.area = f.tier == WIDE ? 0 : uint16(bound(f.area, 1, type(uint16).max));
        f.grade = uint8(bound(f.grade, 1, PREMIUM));
        f.count = uint16(bound(f.count, 1, HOURS_MAX));
        f.startHour = uint32(bound(f.startHour, 0, 2 ** 32 - f.count));
        assertTrue(_pack(f).wellFormed());
        f.startHour = uint32(2 ** 32 - f.count);
        assertTrue(_pack(f).wellFormed());
    }

    function testFuzz_wellFormed_isFalseWhen_theWindowEndsBeyond32Bits(Fields memory f) public pure {
        (f.tier, f.area, f.grade) = (HUB, 7, 1);
        f.count = uint16(bound(f.count, 2, HOURS_MAX));
        f.startHour = uint32(bound(f.startHour, 2 ** 32 - f.count + 1, type(uint32).max));
        assertFalse(_pack(f).wellFormed());
    }

    function testFuzz_wellFormed_isFalseFor_anyUpperBit(Fields memory f, uint8 bit) public pure {
        (f.tier, f.area, f.grade, f.count) = (HUB, 7, 1, 24);
        f.startHour /= 2;
        assertTrue(_pack(f).wellFormed());
        bit = uint8(bound(bit, 88, 255));
        assertFalse(ProductId.wrap(_pack(f).raw() | (1 << bit)).wellFormed());
    }

    /* DERIVED PRODUCTS */

    function testFuzz_hourly_isOneHourOfTheWindow(Fields memory f, uint256 index) public pure {
        f.count = uint16(bound(f.count, 1, HOURS_MAX));
        index = bound(index, 0, f.count - 1);
        f.startHour = uint32(bound(f.startHour, 0, type(uint32).max - index));
        ProductId id = _pack(f);
        (f.startHour, f.count) = (uint32(f.startHour + index), 1);
        _assertFields(id.hourly(index), f);
        assertEq(id.hourly(index).raw() >> 88, 0);
    }

    function testFuzz_hourly_tilesTheWindow(Fields memory f) public pure {
        f.count = uint16(bound(f.count, 1, HOURS_MAX));
        f.startHour = uint32(bound(f.startHour, 0, type(uint32).max - HOURS_MAX));
        ProductId id = _pack(f);
        uint256 at_s = id.startOf();
        for (uint256 i = 0; i < f.count; ++i) {
            assertEq(id.hourly(i).startOf(), at_s);
            at_s = id.hourly(i).endOf();
        }
        assertEq(at_s, id.endOf());
    }

    function testFuzz_within_changesThePlaceAlone(Fields memory f, uint8 tier, uint16 area) public pure {
        ProductId id = _pack(f);
        (f.tier, f.area) = (tier, area);
        _assertFields(id.within(tier, area), f);
    }

    /// @dev Storage keys: those of two products never meet, as long as both are products.
    function testFuzz_keyed_isAKeyOfItsOwn(Fields memory a, Fields memory b, uint168 m, uint168 n) public pure {
        (ProductId x, ProductId y) = (_pack(a), _pack(b));
        (uint256 a_, uint256 b_) = (x.raw(), y.raw());
        assertEq(x.keyed(m) == y.keyed(n), a_ == b_ && m == n);
        assertTrue(x.keyed(m) != x.keyed(uint256(m) ^ 1));
        if (a_ != b_) assertTrue(x.keyed(m) != y.keyed(m));
    }

    /* PROOFS */

    function check_fields_comeBack(uint8 class, uint8 tier, uint16 area, uint8 grade, uint32 startHour, uint16 count)
        public
        pure
    {
        ProductId id = _pack(Fields(class, tier, area, grade, startHour, count));
        assert(id.classOf() == class && id.tierOf() == tier && id.areaOf() == area);
        assert(id.gradeOf() == grade && id.startHourOf() == startHour && id.hoursOf() == count);
        assert(id.raw() >> 88 == 0);
    }

    function check_fields_nameTheProduct(uint256 a, uint256 b) public pure {
        (ProductId x, ProductId y) = (ProductId.wrap(a), ProductId.wrap(b));
        vm.assume(x.wellFormed() && y.wellFormed());
        bool same = x.classOf() == y.classOf() && x.tierOf() == y.tierOf() && x.areaOf() == y.areaOf()
            && x.gradeOf() == y.gradeOf() && x.startHourOf() == y.startHourOf() && x.hoursOf() == y.hoursOf();
        assert(same == (a == b));
    }

    function check_keyed_isAKeyOfItsOwn(uint88 a, uint88 b, uint168 m, uint168 n) public pure {
        bool same = ProductId.wrap(a).keyed(m) == ProductId.wrap(b).keyed(n);
        assert(same == (a == b && m == n));
    }

    function check_hourly_keepsTheRest(uint256 word, uint256 index) public pure {
        ProductId id = ProductId.wrap(word);
        vm.assume(id.wellFormed() && index < id.hoursOf());
        ProductId part = id.hourly(index);
        assert(part.wellFormed() && part.hoursOf() == 1 && part.startHourOf() == id.startHourOf() + index);
        assert(part.raw() >> 48 == id.raw() >> 48);
    }

    function check_within_keepsTheRest(uint256 word, uint8 tier, uint16 area) public pure {
        ProductId id = ProductId.wrap(word);
        ProductId moved = id.within(tier, area);
        assert(moved.tierOf() == tier && moved.areaOf() == area);
        assert(moved.raw() >> 80 == id.raw() >> 80 && uint56(moved.raw()) == uint56(id.raw()));
    }
}
