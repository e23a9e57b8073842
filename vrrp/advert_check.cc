#include "vrrp/advert_check.h"

#include <algorithm>
#include <iterator>
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

std::vector<IpAddress> without(const std::vector<IpAddress>& addresses,
                               const std::vector<IpAddress>& others) {
  std::vector<IpAddress> rest;
  std::ranges::copy_if(addresses, std::back_inserter(rest), [&others](const IpAddress& address) {
    return std::ranges::find(others, address) == others.end();
  });
  return rest;
}

// The first few: a list may have 255.
std::string in_words(const std::vector<IpAddress>& addresses) {
  constexpr size_t kMostNamed = 4;
  std::string text;
  for (size_t i = 0; i < std::min(addresses.size(), kMostNamed); ++i) {
    text += (i == 0 ? "" : ", ") + addresses[i].to_string();
  }
  return addresses.size() <= kMostNamed
             ? text
             : fmt::format("{} and {} more", text, addresses.size() - kMostNamed);
}

// Link-local ones do not tell whose router it is: they are made from the id by convention.
bool has_only_link_local(const std::vector<IpAddress>& addresses) {
  return std::ranges::all_of(
      addresses, [](const IpAddress& each) { return each.is_v6() && each.is_link_local(); });
}

std::string describe_lists(const std::vector<IpAddress>& theirs, const RouterSettings& ours) {
  const std::vector<IpAddress> more = without(theirs, ours.addresses);
  const std::vector<IpAddress> less = without(ours.addresses, theirs);
  if (!has_only_link_local(more) && has_only_link_local(without(theirs, more))) {
    return fmt::format(
        "none of its addresses is configured here: it has {}, here is {}: a mistake in one of the "
        "files, or does somebody else use virtual router id {}?",
        in_words(more), in_words(less), index(ours.key.id));
  }
  std::string text = "its addresses differ:";
  text += more.empty() ? "" : fmt::format(" it has {}, not configured here", in_words(more));
  text += more.empty() || less.empty() ? "" : ";";
  text += less.empty() ? "" : fmt::format(" it has not {}", in_words(less));
  return text;
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
    case AdvertFault::kAddressListDiffers:
    case AdvertFault::kAddressListMismatch:
      return describe_lists(theirs.addresses, ours);
    default:
      return std::string(describe(fault));
  }
}

}  // namespace ballast::vrrp
