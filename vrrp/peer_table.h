// What a virtual router has heard, by sender: adverts, faults with the last offender and its time,
// and what each sender said last.
//
// Senders are whatever sources arrive, forged ones included: beyond kMaximumPeers all further ones
// share one record. Faults are logged at a limited rate: the first of a kind, then one every
// kLogEvery with the number that were not logged.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vrrp/advert_codec.h"

namespace ballast::vrrp {

struct FaultCount {
  uint64_t count = 0;
  TimePoint last;
  IpAddress last_offender;
};

struct Peer {
  IpAddress source;
  uint64_t adverts = 0;         // that counted
  uint64_t priority_zero = 0;   // of those
  uint64_t other_checksum = 0;  // of those: v3 over IPv4 in RFC 9568's form
  TimePoint last_heard;
  Duration largest_gap{0};     // between two adverts that counted
  std::optional<Advert> last;  // what it said
  ChecksumForm checksum = ChecksumForm::kRfc5798;
  std::array<FaultCount, kAdvertFaults> faults{};
};

class PeerTable {
 public:
  static constexpr size_t kMaximumPeers = 32;
  static constexpr Duration kLogEvery = std::chrono::seconds{10};

  // An advert that counts.
  void heard(TimePoint now, const IpAddress& source, const ReadAdvert& read);

  // How many faults of this kind to log now, those held back before included; 0: none.
  uint64_t fault(TimePoint now, const IpAddress& source, AdvertFault fault);

  // A gap is the silence between two adverts in a row of one sender. This router was active itself
  // meanwhile, so the next advert ends no gap.
  void interrupt() { last_sender_.reset(); }

  // The router is configured differently from now on: what was wrong until now may be right. The
  // counts stay.
  void forget_when() {
    for (FaultCount& fault : totals_) {
      fault.last = {};
    }
  }

  [[nodiscard]] std::vector<Peer> peers() const;  // sorted by source; the shared one last
  [[nodiscard]] const Peer* find(const IpAddress& source) const;
  [[nodiscard]] const std::array<FaultCount, kAdvertFaults>& totals() const { return totals_; }

 private:
  Peer& record_of(const IpAddress& source);

  std::map<IpAddress, Peer> peers_;
  std::optional<Peer> others_;            // its source is unspecified
  std::optional<IpAddress> last_sender_;  // of an advert that did not release
  std::array<FaultCount, kAdvertFaults> totals_{};
  struct LogState {
    std::optional<TimePoint> logged;
    uint64_t held_back = 0;
  };
  std::array<LogState, kAdvertFaults> log_{};
};

}  // namespace ballast::vrrp
