// What leaves: drops, answers, and the way by the next hop.
#include <algorithm>

#include <fmt/format.h>

#include "tests/model/model.h"

namespace ballast::model {

Model::Prediction Model::dropped(DropReason reason) const {
  Prediction prediction;
  prediction.fate.end = End::kDropped;
  prediction.fate.reason = reason;
  return prediction;
}

Model::Prediction Model::answered(const Case& c, DropReason reason, Bytes frame) const {
  Prediction prediction;
  prediction.fate.end = End::kSent;
  prediction.fate.reason = reason;
  prediction.fate.frame = std::move(frame);
  prediction.fate.out_port = c.packet.port;
  return prediction;
}

// The kernel takes what is sent to its port's MAC: a frame to a gateway's is turned to that.
Model::Prediction Model::to_kernel(const Case& c) const {
  Prediction prediction;
  prediction.fate.end = End::kKernel;
  prediction.fate.frame = c.packet.frame;
  if (!get_mac(c.packet.frame, 0).is_multicast()) {
    put_mac(prediction.fate.frame, 0, port_mac(c.packet.port));
  }
  return prediction;
}

// The virtual MAC only while the address is answered for.
MacAddress Model::answering_mac(const Case& c) const {
  const AddressSetup* ours = setup_.address(c.seen.destination);
  return ours != nullptr && answers(*ours) ? mac_of(*ours, c.packet.port) : port_mac(c.packet.port);
}

Model::Prediction Model::refuse(const Case& c, const IpAddress& from, DropReason reason,
                                bool answers) const {
  const Bytes& frame = c.packet.frame;
  if (!answers || !may_be_answered(frame, c.seen)) {
    return dropped(reason);
  }
  if (c.seen.protocol == kProtocolTcp) {
    // How long a segment is, a fragment does not say.
    return c.seen.is_fragment() ? dropped(reason)
                                : answered(c, reason, reset_for(frame, c.seen, answering_mac(c)));
  }
  return answered(c, reason,
                  error_about(frame, c.seen, c.seen.is_v4() ? 3 : 1, c.seen.is_v4() ? 3 : 4, 0,
                              from, answering_mac(c)));
}

// A router's error comes from the port that the packet came by; without an address there, from ours
// that it was sent to.
Model::Prediction Model::error(const Case& c, const AddressSetup* ours, DropReason reason,
                               uint8_t type, uint8_t code, uint16_t mtu) const {
  std::optional<IpAddress> source;
  if (reason == DropReason::kTooBig && ours != nullptr) {
    source = ours->address;
  } else {
    source = setup_.own(c.packet.port, c.seen.family);
    if (!source && ours != nullptr) {
      source = ours->address;
    }
  }
  if (!source || !may_be_answered(c.packet.frame, c.seen)) {
    return dropped(reason);
  }
  const auto about = [&](const Bytes& frame) {
    return answered(c, reason,
                    error_about(frame, c.seen, type, code, mtu, *source, answering_mac(c)));
  };
  const Prediction as_it_came = about(c.packet.frame);
  if (clamped_to_ == 0 || compare(as_it_came, c.actual).empty()) {
    return as_it_came;
  }
  return about(clamp(c.packet.frame, c.seen, clamped_to_).frame);
}

Model::Prediction Model::too_big(const Case& c, const AddressSetup* ours, uint16_t mtu) const {
  return error(c, ours, DropReason::kTooBig, c.seen.is_v4() ? 3 : 2, c.seen.is_v4() ? 4 : 0, mtu);
}

Model::Prediction Model::expired(const Case& c, const AddressSetup* ours) const {
  return error(c, ours, DropReason::kTtlExpired, c.seen.is_v4() ? 11 : 3, 0, 0);
}

bool Model::is_ours(const IpAddress& address) const {
  return setup_.address(address) != nullptr || setup_.is_node(address);
}

bool Model::is_our_mac(const MacAddress& mac) const {
  return std::any_of(setup_.ports.begin(), setup_.ports.end(),
                     [&](const PortSetup& port) { return port.mac == mac; }) ||
         std::any_of(setup_.addresses.begin(), setup_.addresses.end(),
                     [&](const AddressSetup& each) { return each.virtual_mac == mac; });
}

Model::Prediction Model::send(const Case& c, Written written, const Setup::Hop& hop,
                              uint16_t fragment_mtu) {
  Prediction prediction;
  prediction.fate.frame = std::move(written.frame);
  prediction.fate.fragment_mtu = fragment_mtu;
  prediction.either_zero = std::move(written.either_zero);
  prediction = deliver(std::move(prediction), hop, false);
  // So many wait for this next hop that a waiting room may be full.
  if (prediction.fate.end == End::kHeld && c.actual.end == End::kDropped &&
      c.actual.reason == DropReason::kNeighborQueueFull) {
    const auto waiting = std::count_if(held_.begin(), held_.end(), [&](const auto& each) {
      return each.second.prediction.hop && each.second.prediction.hop->port == hop.port &&
             each.second.prediction.hop->address == hop.address;
    });
    if (waiting >= 16 || held_.size() >= 256) {
      return dropped(DropReason::kNeighborQueueFull);
    }
  }
  return prediction;
}

Model::Prediction Model::deliver(Prediction prediction, const Setup::Hop& hop, bool waited) const {
  const PortSetup& port = setup_.ports[index(hop.port)];
  const NeighborSetup* neighbor = setup_.neighbor(hop.port, hop.address);
  if (!port.up) {
    return dropped(DropReason::kPortDown);
  }
  if (is_ours(hop.address) ||
      (neighbor != nullptr && neighbor->state == Known::kReachable && is_our_mac(neighbor->mac))) {
    return dropped(DropReason::kNextHopOurs);
  }
  const Known state = neighbor == nullptr ? Known::kUnknown : neighbor->state;
  if (state == Known::kFailed) {
    return dropped(DropReason::kNeighborFailed);
  }
  if (state == Known::kUnknown) {
    if (waited) {
      return dropped(DropReason::kNeighborTimeout);
    }
    prediction.fate.end = End::kHeld;
    prediction.hop = hop;
    return prediction;
  }
  prediction.fate.end = End::kSent;
  prediction.fate.out_port = hop.port;
  put_mac(prediction.fate.frame, 0, neighbor->mac);
  put_mac(prediction.fate.frame, 6, port.mac);
  return prediction;
}

std::string Model::judge_released(uint64_t id, const Fate& actual, uint16_t worker) {
  const auto found = held_.find(id);
  if (found == held_.end()) {
    return "released, and was not held: " + to_string(actual);
  }
  Held held = found->second;
  held_.erase(found);
  illegal_.clear();
  if (held.fragment) {
    return judge_released_fragment(held, id, actual, worker);
  }
  if (held.prediction.wrapped) {
    held.prediction.fate.frame = held.prediction.wrapped(actual).frame;
  }
  const AddressSetup* vip = held.prediction.vip ? setup_.address(*held.prediction.vip) : nullptr;
  const bool is_held = vip != nullptr && forwards(*vip);
  const std::string difference =
      compare(is_held ? deliver(held.prediction, *held.prediction.hop, true)
                      : dropped(DropReason::kVipNotOwned),
              actual);
  return difference.empty() ? illegal_ : difference;
}

namespace {

bool same_checksum(const Bytes& a, const Bytes& b, size_t at) {
  const uint16_t x = get16(a, at);
  const uint16_t y = get16(b, at);
  return x == y || (x == 0 && y == 0xffff) || (x == 0xffff && y == 0);
}

std::string hex(const Bytes& bytes, size_t around) {
  std::string text;
  const size_t from = around < 8 ? 0 : around - 8;
  for (size_t at = from; at < std::min(bytes.size(), around + 12); ++at) {
    text += at == around ? fmt::format("[{:02x}]", bytes[at]) : fmt::format(" {:02x} ", bytes[at]);
  }
  return text;
}

}  // namespace

std::string Model::compare(const Prediction& expected, const Fate& actual) const {
  const Fate& fate = expected.fate;
  if (fate.end != actual.end || (fate.end != End::kHeld && fate.reason != actual.reason)) {
    return fmt::format("{}; expected: {}", to_string(actual), to_string(fate));
  }
  if (fate.end == End::kDropped || fate.end == End::kHeld) {
    return {};
  }
  if (fate.end == End::kSent &&
      (fate.out_port != actual.out_port || fate.fragment_mtu != actual.fragment_mtu)) {
    return fmt::format("{}; expected: {}", to_string(actual), to_string(fate));
  }
  if (fate.frame.size() != actual.frame.size()) {
    return fmt::format("{}; expected: {}", to_string(actual), to_string(fate));
  }
  std::set<size_t> excused(expected.unknown.begin(), expected.unknown.end());
  for (const size_t at : expected.either_zero) {
    if (same_checksum(fate.frame, actual.frame, at)) {
      excused.insert(at);
      excused.insert(at + 1);
    }
  }
  for (size_t at = 0; at < fate.frame.size(); ++at) {
    if (fate.frame[at] != actual.frame[at] && !excused.contains(at)) {
      return fmt::format("{}; byte {} is{}, expected{}", to_string(actual), at,
                         hex(actual.frame, at), hex(fate.frame, at));
    }
  }
  return {};
}

}  // namespace ballast::model
