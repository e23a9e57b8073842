// The speaker's sockets: which there are, what is heard on them, what is sent.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "vrrp/advert_check.h"
#include "vrrp/speaker_core.h"

namespace ballast::vrrp {
namespace {

constexpr size_t kMaximumMessage = 9216;  // 255 IPv6 addresses and more
constexpr size_t kMaximumPerTurn = 256;   // datagrams of one socket before timers are looked at

// A router that is about to restart announces a longer interval, three times, and again when it is
// asked: that is no disagreement.
constexpr uint32_t kAdvertsOfARestart = 5;

// How long a router that could not send takes no part.
constexpr Duration kSendRetry = std::chrono::seconds{10};

}  // namespace

// A socket for every interface and family that a router needs, none for others. An interface that
// was removed and has come back has another index.
void Speaker::Core::open_wires() {
  std::set<SocketKey> needed;
  for (const auto& [key, group] : owners_) {
    if (interfaces_.contains(key.interface)) {
      needed.insert({key.interface, key.family});
    }
  }
  std::erase_if(wires_, [&needed](const auto& item) { return !needed.contains(item.first); });
  const auto known_errors = std::exchange(socket_errors_, {});
  for (const SocketKey& key : needed) {
    if (wires_.contains(key)) {
      continue;
    }
    auto socket = AdvertSocket::open(key.second, key.first);
    if (!socket) {
      socket_errors_[key] = socket.error();
      if (!known_errors.contains(key)) {
        callbacks_.report({}, {true, socket.error()});
      }
      continue;
    }
    wires_[key] = std::make_unique<Wire>(loop_, std::move(*socket));
    wait(key);
  }
}

void Speaker::Core::wait(const SocketKey& key) {
  const Wire* wire = wires_.at(key).get();
  wires_.at(key)->readiness.async_wait(
      boost::asio::posix::stream_descriptor::wait_read,
      [this, key, wire](const boost::system::error_code& error) {
        const auto found = wires_.find(key);
        if (error || found == wires_.end() || found->second.get() != wire) {
          return;
        }
        wake();
        if (wires_.contains(key)) {
          wait(key);
        }
      });
}

void Speaker::Core::read_all() {
  for (const auto& [key, wire] : wires_) {
    read(key, kMaximumPerTurn);
  }
}

void Speaker::Core::read(const SocketKey& key, size_t limit) {
  std::array<uint8_t, kMaximumMessage> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (size_t i = 0; i < limit; ++i) {
    const auto received = wires_.at(key)->socket.receive(buffer);
    if (!received) {
      return;
    }
    take(*received);
  }
}

void Speaker::Core::take(const AdvertSocket::Received& received) {
  const Datagram& datagram = received.datagram;
  const RouterKey key{datagram.interface, datagram.source.family(), claimed_id(datagram.message)};
  const auto owner = owners_.find(key);
  if (owner != owners_.end()) {
    if (const auto group = groups_.find(owner->second); group != groups_.end()) {
      judge(group->second, key, received);
    }
    return;
  }
  AdvertFault what = AdvertFault::kIpLength;
  if (received.is_whole) {
    const bool is_elsewhere = std::ranges::any_of(owners_, [&key](const auto& item) {
      return item.first.id == key.id && item.first.family == key.family;
    });
    what = datagram.message.size() < 8    ? AdvertFault::kShort
           : datagram.ttl != kRequiredTtl ? AdvertFault::kTtl
           : is_elsewhere                 ? AdvertFault::kWrongInterface
                                          : AdvertFault::kVridUnknown;
  }
  FaultCount& count = strangers_[static_cast<size_t>(what)];
  ++count.count;
  count.last = clock_now();
  count.last_offender = datagram.source;
  last_strange_id_ = key.id;
  if (what == AdvertFault::kVridUnknown) {
    note_claim(key, datagram);
  }
}

// With a good advert of another id, an address of ours.
void Speaker::Core::note_claim(const RouterKey& key, const Datagram& datagram) {
  const auto read = read_advert(datagram.message, {datagram.source, datagram.destination});
  if (!read || read->advert.priority == kReleasing) {
    return;
  }
  for (const auto& [name, running] : groups_) {
    for (const VirtualRouter& router : running.group.routers()) {
      const auto claimed =
          std::ranges::find_first_of(router.settings().addresses, read->advert.addresses);
      if (claimed == router.settings().addresses.end()) {
        continue;
      }
      const TimePoint now = clock_now();
      const bool is_news = !strange_claim_ || now - strange_claim_->last > PeerTable::kLogEvery;
      strange_claim_ = StrangeClaim{datagram.source, key.id, *claimed, now};
      if (is_news) {
        callbacks_.report(name,
                          {true, fmt::format("{} announces {} as virtual router {}, which is "
                                             "{} here: both answer for it",
                                             datagram.source.to_string(), claimed->to_string(),
                                             index(key.id), index(router.settings().key.id))});
      }
      return;
    }
  }
}

void Speaker::Core::judge(Running& running, const RouterKey& key,
                          const AdvertSocket::Received& received) {
  const VirtualRouter* router = running.group.find(key);
  if (router == nullptr) {
    return;
  }
  const Datagram& datagram = received.datagram;
  if (!received.is_whole) {
    fault(running, key, datagram.source, AdvertFault::kIpLength, {});
    return;
  }
  const AdvertJudgement judgement = judge_advert(
      datagram, router->settings(), running.group.settings().priority, router->own_address());
  uint32_t& other_intervals = running.records[key].other_intervals;
  const bool differs =
      std::ranges::find(judgement.faults, AdvertFault::kIntervalDiffers) != judgement.faults.end();
  other_intervals = differs ? other_intervals + 1 : 0;
  for (const AdvertFault what : judgement.faults) {
    if (what == AdvertFault::kIntervalDiffers && other_intervals <= kAdvertsOfARestart) {
      continue;
    }
    fault(running, key, datagram.source, what,
          judgement.is_accepted ? describe_fault(what, judgement.read.advert, router->settings())
                                : std::string(describe(what)));
  }
  if (!judgement.is_accepted) {
    return;
  }
  const TimePoint now = clock_now();
  PeerTable& peers = running.records[key].peers;
  if (router->state() == State::kActive) {
    peers.interrupt();
  }
  peers.heard(now, datagram.source, judgement.read);
  Actions actions;
  running.group.receive(now, key, judgement.read.advert, datagram.source, actions);
  carry_out(running, actions);
}

void Speaker::Core::fault(Running& running, const RouterKey& key, const IpAddress& source,
                          AdvertFault what, const std::string& text) {
  const uint64_t count = running.records[key].peers.fault(clock_now(), source, what);
  if (count > 0) {
    const std::string_view verdict = is_discarded(what) ? "discarded" : "disagreement";
    callbacks_.report(
        running.group.settings().name,
        {true, fmt::format("{} advert(s) for {}/IPv{}, last from {}: {}: {}: {}", count,
                           index(key.id), index(key.family), source.to_string(), verdict,
                           name_of(what), text.empty() ? std::string(describe(what)) : text)});
  }
}

void Speaker::Core::act(Running& running, const RouterKey& router, const SendAdvert& sent) {
  const auto wire = wires_.find({router.interface, router.family});
  const VirtualRouter* member = running.group.find(router);
  if (wire == wires_.end()) {
    return;  // its interface is gone, and with it all who could hear
  }
  // A member that a reload removed says its last word with what is known of the interface.
  const auto facts = interfaces_.find(router.interface);
  IpAddress source = member != nullptr ? member->own_address() : IpAddress{};
  if (member == nullptr && facts != interfaces_.end()) {
    source = (router.family == Family::kIpv4 ? facts->second.ipv4 : facts->second.link_local)
                 .value_or(IpAddress{});
  }
  std::vector<IpAddress> destinations{multicast_group(router.family)};
  if (member != nullptr && !member->settings().unicast_peers.empty()) {
    destinations = member->settings().unicast_peers;
  }
  const ChecksumForm form =
      member != nullptr ? member->settings().checksum : ChecksumForm::kRfc5798;
  std::optional<int> least_error;  // 0: it has left to somebody
  for (const IpAddress& destination : destinations) {
    const AdvertPath path{source, destination};
    if (source.family() != destination.family()) {
      continue;
    }
    const int error = wire->second->socket.send(build_advert(sent.advert, path, form), path);
    least_error = error == 0 || least_error == 0 ? 0 : error;
    RouterRecord& record = running.records[router];
    record.send_errors += static_cast<uint64_t>(error != 0);
    if (error != 0 && error != record.last_error) {
      callbacks_.report(
          running.group.settings().name,
          {true, fmt::format("advert to {}: {}", destination.to_string(), std::strerror(error))});
    }
    record.last_error = error;
  }
  if (least_error) {
    note_sending(running, router, *least_error);
  }
}

// Who cannot be heard must not go on: the others do not wait for longer than a lease lasts.
void Speaker::Core::note_sending(Running& running, const RouterKey& router, int error) {
  RouterRecord& record = running.records[router];
  const VirtualRouter* member = running.group.find(router);
  if (error == 0 || member == nullptr || member->state() != State::kActive) {
    record.failing_since.reset();
    return;
  }
  const TimePoint now = clock_now();
  const TimePoint since = record.failing_since.value_or(now);
  record.failing_since = since;
  if (now - since >= lease_duration(member->settings().advert_interval)) {
    record.failing_since.reset();
    running.send_fault = fmt::format("adverts cannot be sent: {}", std::strerror(error));
    running.send_fault_until = now + kSendRetry;
  }
}

void Speaker::Core::act(Running&, const RouterKey& router, const DropBacklog&) {
  if (const auto wire = wires_.find({router.interface, router.family}); wire != wires_.end()) {
    wire->second->socket.drop_backlog();
  }
}

}  // namespace ballast::vrrp
