#include "control/config/address_block.h"

#include <algorithm>

#include <fmt/format.h>

#include "control/config/endpoint.h"
#include "toml_reader/toml_report.h"

namespace ballast::control {
namespace {

using tl::unexpected;

IpAddress from_bytes(const IpAddress::V6Bytes& bytes, Family family) {
  return family == Family::kIpv4 ? IpAddress::v4({bytes[12], bytes[13], bytes[14], bytes[15]})
                                 : IpAddress::v6(bytes);
}

// The address behind this one; of the last of its family, some other one.
IpAddress after(const IpAddress& address) {
  IpAddress::V6Bytes bytes = address.bytes();
  const size_t first = address.is_v4() ? 12 : 0;
  for (size_t i = bytes.size(); i > first; --i) {
    if (++bytes[i - 1] != 0) {
      break;
    }
  }
  return from_bytes(bytes, address.family());
}

// The last address of a prefix.
IpAddress last_of(const Prefix& prefix) {
  IpAddress::V6Bytes bytes = prefix.address.bytes();
  const size_t fixed = prefix.length + (prefix.address.is_v4() ? 96U : 0U);
  for (size_t bit = fixed; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] | (0x80U >> (bit % 8)));
  }
  return from_bytes(bytes, prefix.address.family());
}

tl::expected<AddressBlock, std::string> parse_range(std::string_view text, size_t dash) {
  const auto first = IpAddress::parse(text.substr(0, dash));
  const auto last = IpAddress::parse(text.substr(dash + 1));
  if (!first || !last) {
    return unexpected(fmt::format(
        R"({} is not a range of addresses: write it as "10.0.0.200-10.0.0.207")", quote(text)));
  }
  if (first->family() != last->family()) {
    return unexpected(fmt::format("{}: both ends of a range are of the same family", quote(text)));
  }
  if (*last < *first) {
    return unexpected(fmt::format("{}: the range ends before it begins: did you mean \"{}-{}\"?",
                                  quote(text), last->to_string(), first->to_string()));
  }
  return AddressBlock{*first, *last};
}

tl::expected<AddressBlock, std::string> parse_whole_prefix(std::string_view text) {
  const auto written = parse_interface_address(text);
  if (!written) {
    return unexpected(written.error());
  }
  const Prefix prefix = written->network();
  if (prefix.address != written->address) {
    return unexpected(fmt::format(
        "{} has bits beyond its prefix length: write \"{}\" for this address alone, or \"{}\" for "
        "all of its block",
        quote(text), written->address.to_string(), prefix.to_string()));
  }
  return AddressBlock{prefix.address, last_of(prefix)};
}

}  // namespace

tl::expected<AddressBlock, std::string> parse_address_block(std::string_view text) {
  if (const size_t dash = text.find('-'); dash != std::string_view::npos) {
    return parse_range(text, dash);
  }
  if (text.find('/') != std::string_view::npos) {
    return parse_whole_prefix(text);
  }
  const auto address = parse_address(text);
  if (!address) {
    return unexpected(address.error());
  }
  return AddressBlock{*address, *address};
}

std::optional<std::vector<IpAddress>> addresses_in(const AddressBlock& block, size_t most) {
  std::vector<IpAddress> addresses;
  for (IpAddress address = block.first; addresses.size() < most; address = after(address)) {
    addresses.push_back(address);
    if (address == block.last) {
      return addresses;
    }
  }
  return std::nullopt;
}

std::vector<std::string> ranges_of(std::vector<IpAddress> addresses) {
  std::ranges::sort(addresses);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  std::vector<std::string> ranges;
  for (size_t i = 0; i < addresses.size();) {
    size_t end = i + 1;
    while (end < addresses.size() && addresses[end] == after(addresses[end - 1]) &&
           addresses[end].family() == addresses[i].family()) {
      ++end;
    }
    std::string text = addresses[i].to_string();
    if (end - i > 1) {
      text += "-" + addresses[end - 1].to_string();
    }
    ranges.push_back(std::move(text));
    i = end;
  }
  return ranges;
}

}  // namespace ballast::control
