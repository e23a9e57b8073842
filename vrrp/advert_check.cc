#include "vrrp/advert_check.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace ballast::vrrp {
namespace {

// What the way it came says, before the message is looked at.
std::optional<AdvertFault> fault_of_path(const Datagram& datagram, const RouterSettings& settings,
                                         const IpAddress& own_address) {
  if (datagram.interface != settings.key.interface) {
    return AdvertFault::kWrongInterface;
  }
  if (!has_good_ttl(datagram, settings)) {
    return AdvertFault::kTtl;
  }
  if (datagram.source == own_address) {
    return AdvertFault::kOwnSource;
  }
  const bool is_multicast = datagram.destination.is_multicast();
  if (settings.unicast_peers.empty()) {
    return is_multicast ? std::nullopt : std::optional(AdvertFault::kUnexpectedUnicast);
  }
  if (is_multicast) {
    return AdvertFault::kUnexpectedMulticast;
  }
  if (std::ranges::find(settings.unicast_peers, datagram.source) == settings.unicast_peers.end()) {
    return AdvertFault::kUnknownPeer;
  }
  return std::nullopt;
}

// The order of a list means nothing but for the first IPv6 address, which the codec has checked.
bool are_same_addresses(std::vector<IpAddress> left, std::vector<IpAddress> right) {
  std::ranges::sort(left);
  std::ranges::sort(right);
  return left == right;
}

std::optional<AdvertFault> fault_of_content(const ReadAdvert& read,
                                            const RouterSettings& settings) {
  if (read.advert.version != settings.version) {
    return AdvertFault::kVersion;
  }
  if (read.advert.id != settings.key.id) {
    return AdvertFault::kVridUnknown;
  }
  if (read.authentication_type != 0) {
    return AdvertFault::kAuthentication;
  }
  if (settings.version == Version::kV2 && read.advert.interval != settings.advert_interval) {
    return AdvertFault::kIntervalMismatch;  // RFC 3768 section 7.1
  }
  return std::nullopt;
}

}  // namespace

bool has_good_ttl(const Datagram& datagram, const RouterSettings& settings) {
  const bool is_lenient = !settings.unicast_peers.empty() && !datagram.destination.is_multicast();
  return datagram.ttl >= (is_lenient ? settings.minimum_ttl : kRequiredTtl);
}

AdvertJudgement judge_advert(const Datagram& datagram, const RouterSettings& settings,
                             Priority own_priority, const IpAddress& own_address) {
  AdvertJudgement judgement;
  const auto refuse = [&judgement](AdvertFault fault) {
    judgement.faults.assign(1, fault);
    return judgement;
  };
  if (const auto fault = fault_of_path(datagram, settings, own_address)) {
    return refuse(*fault);
  }
  auto read = read_advert(datagram.message, {datagram.source, datagram.destination});
  if (!read) {
    return refuse(read.error());
  }
  if (const auto fault = fault_of_content(*read, settings)) {
    return refuse(*fault);
  }
  const Advert& advert = read->advert;
  if (!are_same_addresses(advert.addresses, settings.addresses)) {
    if (settings.strict_addresses && advert.priority != kAddressOwner) {
      return refuse(AdvertFault::kAddressListMismatch);
    }
    judgement.faults.push_back(AdvertFault::kAddressListDiffers);
  }
  if (settings.version == Version::kV3 && advert.interval != settings.advert_interval) {
    judgement.faults.push_back(AdvertFault::kIntervalDiffers);
  }
  if (advert.priority == kAddressOwner && own_priority == kAddressOwner) {
    judgement.faults.push_back(AdvertFault::kTwoOwners);
  }
  if (settings.version == Version::kV3 && settings.key.family == Family::kIpv4 &&
      read->form != settings.checksum) {
    judgement.faults.push_back(AdvertFault::kChecksumOtherForm);
  }
  judgement.read = std::move(*read);
  judgement.is_accepted = true;
  return judgement;
}

std::string describe_fault(AdvertFault fault, const Advert& theirs, const RouterSettings& ours) {
  switch (fault) {
    case AdvertFault::kIntervalDiffers:
    case AdvertFault::kIntervalMismatch:
      return fmt::format("its interval is {}, here it is {}", to_text(theirs.interval),
                         to_text(ours.advert_interval));
    case AdvertFault::kAddressListDiffers: {
      std::string list;
      for (const IpAddress& address : theirs.addresses) {
        list += (list.empty() ? "" : ", ") + address.to_string();
      }
      return fmt::format("its addresses differ from those configured here: {}", list);
    }
    default:
      return std::string(describe(fault));
  }
}

}  // namespace ballast::vrrp
