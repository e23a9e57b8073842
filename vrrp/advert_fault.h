// What can be wrong with an advert. Every rule has a name of its own, one counter per peer, and
// says whether it costs the advert its effect or is only counted and told.
//
// To add one: a line below, and the check in advert_codec.cc (what the bytes alone say) or
// advert_check.cc (what the configuration says).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ballast::vrrp {

// X(constant, "name", is_discarded, "what it means, for the operator")
#define BALLAST_ADVERT_FAULTS(X)                                                                  \
  X(kShort, "short", true, "shorter than its fields and addresses need")                          \
  X(kIpLength, "ip_length", true, "the IP header is malformed or tells another length than came") \
  X(kTtl, "ttl", true, "TTL or hop limit is not 255, or below the minimum for unicast")           \
  X(kVersion, "version", true, "another VRRP version than is configured here")                    \
  X(kType, "type", true, "not an ADVERTISEMENT (type 1)")                                         \
  X(kLength, "length", true,                                                                      \
    "longer than its fields and addresses: not an advert of this version")                        \
  X(kChecksum, "checksum", true, "the checksum is wrong")                                         \
  X(kVridUnknown, "vrid_unknown", true, "no virtual router of this id and family is configured")  \
  X(kWrongInterface, "wrong_interface", true,                                                     \
    "the virtual router is configured on another interface")                                      \
  X(kCountZero, "count_zero", true, "no address in it")                                           \
  X(kFirstNotLinkLocal, "first_not_link_local", true, "the first IPv6 address is not link-local") \
  X(kIntervalZero, "interval_zero", true, "an advertisement interval of 0")                       \
  X(kIntervalMismatch, "interval_mismatch", true, "v2: another interval than is configured here") \
  X(kIntervalDiffers, "interval_differs", false,                                                  \
    "v3: another interval than is configured here, for more adverts than a restart takes")        \
  X(kAddressListMismatch, "address_list_mismatch", true,                                          \
    "other addresses than are configured here (strict_addresses)")                                \
  X(kAddressListDiffers, "address_list_differs", false,                                           \
    "other addresses than are configured here")                                                   \
  X(kAuthentication, "authentication", true,                                                      \
    "v2: an authentication type other than 0, which is all that is supported")                    \
  X(kUnknownPeer, "unknown_peer", true, "not from one of the unicast peers")                      \
  X(kUnexpectedMulticast, "unexpected_multicast", true,                                           \
    "by multicast, but unicast peers are configured here")                                        \
  X(kUnexpectedUnicast, "unexpected_unicast", true,                                               \
    "by unicast, but no unicast peers are configured here")                                       \
  X(kOwnSource, "own_source", true,                                                               \
    "from this node's own address: a loop, or a duplicate address")                               \
  X(kTwoOwners, "two_owners", false,                                                              \
    "priority 255 on both nodes: both claim to own the addresses")                                \
  X(kChecksumOtherForm, "checksum_other_form", false,                                             \
    "v3 over IPv4: a good checksum, but of the other form than is sent here")

enum class AdvertFault : uint8_t {
#define X(constant, name, is_discarded, text) constant,
  BALLAST_ADVERT_FAULTS(X)
#undef X
};

inline constexpr size_t kAdvertFaults = 0
#define X(constant, name, is_discarded, text) +1
    BALLAST_ADVERT_FAULTS(X)
#undef X
    ;

std::string_view name_of(AdvertFault fault);   // "vrid_unknown"
std::string_view describe(AdvertFault fault);  // one line for an operator
bool is_discarded(AdvertFault fault);          // false: counted and told, and the advert counts

}  // namespace ballast::vrrp
