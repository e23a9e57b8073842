// Any bytes as a VRRP message: read or refused by name, never beyond their end; what is read is
// built again to the same value; what counts is taken by a state machine whose timers stay in
// bounds. Each input is seen as it is, and with its checksum made right.
//
// The first byte chooses family, checksum form and what is configured; then come messages, each
// behind one byte of length.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "dataplane/packet/checksum.h"
#include "vrrp/advert_check.h"
#include "vrrp/peer_table.h"
#include "vrrp/router_group.h"

namespace {

using namespace ballast;
using namespace ballast::vrrp;

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

std::vector<uint8_t> with_checksum(std::vector<uint8_t> message, const AdvertPath& path) {
  if (message.size() >= 8) {
    message[6] = message[7] = 0;
    const ChecksumSum start =
        message[0] >> 4 == 3 ? pseudo_header_sum(path.source, path.destination, IpProtocol::kVrrp,
                                                 static_cast<uint32_t>(message.size()))
                             : ChecksumSum{};
    const Big16 checksum = finish_checksum(sum_bytes(message.data(), message.size(), start));
    std::memcpy(message.data() + 6, &checksum, sizeof(checksum));
  }
  return message;
}

class Target {
 public:
  explicit Target(uint8_t choice)
      : family_((choice & 1) != 0 ? Family::kIpv6 : Family::kIpv4),
        path_{family_ == Family::kIpv4 ? *IpAddress::parse("192.0.2.11")
                                       : *IpAddress::parse("fe80::11"),
              multicast_group(family_)},
        settings_(make_settings(choice)),
        group_(settings_, {}, {{settings_.routers[0].key, own_address()}}) {
    Actions actions;
    group_.start(now_, actions);
  }

  void take(const std::vector<uint8_t>& message) {
    const auto read = read_advert(message, path_);
    if (read) {
      require(!read->advert.addresses.empty() && read->advert.interval > Duration{0});
      const auto again = read_advert(build_advert(read->advert, path_, read->form), path_);
      require(again.has_value() && again->advert == read->advert);
    }
    static_cast<void>(split_ipv4(message, InterfaceIndex{1}));
    const RouterSettings& router = settings_.routers[0];
    const Datagram datagram{router.key.interface, path_.source, path_.destination, 255, message};
    const AdvertJudgement judgement =
        judge_advert(datagram, router, settings_.priority, own_address());
    for (const AdvertFault fault : judgement.faults) {
      peers_.fault(now_, path_.source, fault);
    }
    require(judgement.is_accepted || judgement.faults.size() == 1);
    now_ += std::chrono::milliseconds{30};
    Actions actions;
    if (judgement.is_accepted) {
      peers_.heard(now_, path_.source, judgement.read);
      group_.receive(now_, router.key, judgement.read.advert, path_.source, actions);
    }
    group_.tick(now_, actions);
    require(group_.deadline() <= now_ + std::chrono::seconds{90});
  }

  [[nodiscard]] const AdvertPath& path() const { return path_; }

 private:
  [[nodiscard]] IpAddress own_address() const {
    return family_ == Family::kIpv4 ? *IpAddress::parse("192.0.2.10")
                                    : *IpAddress::parse("fe80::10");
  }
  [[nodiscard]] GroupSettings make_settings(uint8_t choice) const {
    GroupSettings group;
    group.preempt = (choice & 4) != 0;
    RouterSettings router;
    router.key = {InterfaceIndex{1}, family_, VirtualRouterId{51}};
    if ((choice & 2) != 0 && family_ == Family::kIpv4) {
      router.version = Version::kV2;
      router.advert_interval = std::chrono::seconds{1};
    }
    router.strict_addresses = (choice & 8) != 0;
    router.addresses = {family_ == Family::kIpv4 ? *IpAddress::parse("192.0.2.100")
                                                 : *IpAddress::parse("fe80::100")};
    group.routers.push_back(router);
    return group;
  }

  Family family_;
  AdvertPath path_;
  GroupSettings settings_;
  PeerTable peers_;
  TimePoint now_{std::chrono::hours{1}};
  RouterGroup group_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  Target target(data[0]);
  for (size_t at = 1; at < size;) {
    const size_t length = std::min<size_t>(data[at], size - at - 1);
    const std::vector<uint8_t> message(data + at + 1, data + at + 1 + length);
    target.take(message);
    target.take(with_checksum(message, target.path()));
    at += 1 + length;
  }
  return 0;
}
