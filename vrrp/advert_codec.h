// A VRRP message between bytes and a value: v2 (RFC 3768 section 5) and v3 (RFC 9568 section 5),
// IPv4 and IPv6.
//
//   0                   1                   2                   3
//   |Version| Type  | Virtual Rtr ID|   Priority    |     Count     |
//   v3: |(rsvd) |   Max Adver Int, centiseconds   |   Checksum    |
//   v2: |   Auth Type   | Adver Int, seconds |      Checksum       |
//   addresses, 4 or 16 bytes each; v2: 8 bytes of authentication data, always there
//
// What is sent and read is the message alone: the kernel writes the IP header (IP_TTL 255, source
// by IP_PKTINFO), and ipv4_datagram.h takes it off again on the way in.
//
// A v3 message over IPv4 has two checksums in the field: RFC 5798 was deployed with the
// pseudo-header, RFC 9568 section 5.2.8 leaves it out. Either is accepted, nothing else is; which
// one it was is told, so that it can be remembered per peer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "vrrp/advert_fault.h"
#include "vrrp/timing.h"

namespace ballast::vrrp {

enum class ChecksumForm : uint8_t { kRfc5798, kRfc9568 };  // with the pseudo-header; message only

std::string_view to_string(ChecksumForm form);  // "rfc5798", "rfc9568": as configured

struct Advert {
  Version version = Version::kV3;
  VirtualRouterId id{1};
  Priority priority = kDefaultPriority;
  Duration interval = std::chrono::milliseconds{100};  // a multiple of what the version can say
  std::vector<IpAddress> addresses;                    // of one family

  friend bool operator==(const Advert&, const Advert&) = default;
};

struct AdvertPath {
  IpAddress source;
  IpAddress destination;  // of the same family
};

// `form` matters for v3 over IPv4 only. The version is v3 where the path is IPv6; the interval is
// rounded to the nearest that the version can say, and at most kMaximumAddresses are sent.
std::vector<uint8_t> build_advert(const Advert& advert, const AdvertPath& path, ChecksumForm form);

struct ReadAdvert {
  Advert advert;
  ChecksumForm form = ChecksumForm::kRfc5798;  // meaningful for v3 over IPv4 only
  uint8_t authentication_type = 0;             // v2
};

// Every rule that the bytes alone can break. kVersion here means neither 2 nor 3, or v2 over IPv6.
tl::expected<ReadAdvert, AdvertFault> read_advert(std::span<const uint8_t> message,
                                                  const AdvertPath& path);

// The id that a message claims, valid or not, for the counters of whoever it was meant for; 0 if
// there is none.
VirtualRouterId claimed_id(std::span<const uint8_t> message);

}  // namespace ballast::vrrp
