#include "vrrp/peer_table.h"

#include <algorithm>
#include <utility>

namespace ballast::vrrp {
namespace {

void raise(FaultCount& fault, TimePoint now, const IpAddress& source) {
  ++fault.count;
  fault.last = now;
  fault.last_offender = source;
}

}  // namespace

Peer& PeerTable::record_of(const IpAddress& source) {
  if (const auto found = peers_.find(source); found != peers_.end()) {
    return found->second;
  }
  if (peers_.size() >= kMaximumPeers) {
    return others_ ? *others_ : others_.emplace();
  }
  Peer& peer = peers_[source];
  peer.source = source;
  return peer;
}

void PeerTable::heard(TimePoint now, const IpAddress& source, const ReadAdvert& read) {
  Peer& peer = record_of(source);
  const bool releases = read.advert.priority == kReleasing;
  if (last_sender_ == source && peer.adverts > 0) {
    peer.largest_gap = std::max(peer.largest_gap, Duration{now - peer.last_heard});
  }
  last_sender_ = releases ? std::nullopt : std::optional(source);
  ++peer.adverts;
  peer.priority_zero += static_cast<uint64_t>(releases);
  peer.other_checksum += static_cast<uint64_t>(read.form == ChecksumForm::kRfc9568);
  peer.last_heard = now;
  peer.last = read.advert;
  peer.checksum = read.form;
}

uint64_t PeerTable::fault(TimePoint now, const IpAddress& source, AdvertFault fault) {
  const auto kind = static_cast<size_t>(fault);
  raise(totals_[kind], now, source);
  raise(record_of(source).faults[kind], now, source);
  LogState& log = log_[kind];
  ++log.held_back;
  if (log.logged && now - *log.logged < kLogEvery) {
    return 0;
  }
  log.logged = now;
  return std::exchange(log.held_back, 0);
}

std::vector<Peer> PeerTable::peers() const {
  std::vector<Peer> result;
  result.reserve(peers_.size() + 1);
  for (const auto& [source, peer] : peers_) {
    result.push_back(peer);
  }
  if (others_) {
    result.push_back(*others_);
  }
  return result;
}

const Peer* PeerTable::find(const IpAddress& source) const {
  const auto found = peers_.find(source);
  return found == peers_.end() ? nullptr : &found->second;
}

}  // namespace ballast::vrrp
