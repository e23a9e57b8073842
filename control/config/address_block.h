// Several addresses in one text, as an operator with many of them writes them:
//
//   "10.0.0.200"                 one
//   "10.0.0.200-10.0.0.207"      a range, both ends included
//   "10.0.0.200/29"              all addresses of a prefix, the first and the last included
//
// and the way back, for people: a list of addresses as the fewest such ranges.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/packet/address.h"

namespace ballast::control {

struct AddressBlock {
  IpAddress first;
  IpAddress last;  // of the same family, not before the first

  friend bool operator==(const AddressBlock&, const AddressBlock&) = default;
};

// An error says what is wrong and what would be right, with the text.
tl::expected<AddressBlock, std::string> parse_address_block(std::string_view text);

// Each address of the block in order; none when there are more than `most`.
std::optional<std::vector<IpAddress>> addresses_in(const AddressBlock& block, size_t most);

// "10.0.0.200-10.0.0.207", "2001:db8::200": sorted, and each address once.
std::vector<std::string> ranges_of(std::vector<IpAddress> addresses);

}  // namespace ballast::control
