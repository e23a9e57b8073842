#include "tests/model/step.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "tests/model/dissect.h"

namespace ballast::model {
namespace {

constexpr std::array<uint8_t, 12> kFlags{
    kFlagSyn,
    kFlagSyn,
    kFlagAck,
    kFlagAck,
    kFlagAck | kFlagPsh,
    kFlagAck | kFlagPsh,
    kFlagFin | kFlagAck,
    kFlagRst,
    kFlagRst | kFlagAck,
    kFlagSyn | kFlagAck,
    kFlagPsh,
    kFlagAck,
};
constexpr std::array<uint16_t, 9> kPayloads{0, 0, 1, 10, 101, 536, 1260, 1400, 1460};

What random_what(Random& random) {
  const uint64_t dice = below(random, 100);
  if (dice < 50) {
    return What::kPacket;
  }
  if (dice < 76) {
    return What::kReply;
  }
  if (dice < 80) {
    return What::kErrorToVip;
  }
  if (dice < 84) {
    return What::kErrorToServer;
  }
  if (dice < 86) {
    return What::kPing;
  }
  if (dice < 88) {
    return What::kAsk;
  }
  if (dice < 89) {
    return What::kToNode;
  }
  if (dice < 91) {
    return What::kTransit;
  }
  return dice < 96 ? What::kPause : What::kChange;
}

void mutate(Random& random, Step& step) {
  const uint64_t count = 1 + below(random, 2);
  for (uint64_t i = 0; i < count; ++i) {
    step.mutations.emplace_back(static_cast<uint16_t>(12 + below(random, 60)),
                                static_cast<uint8_t>(1 + below(random, 255)));
  }
}

// Most flows are few, so that they meet; a conversation goes on for some steps.
Step random_step(Random& random, const Scene& scene, const Step& former, bool has_replies) {
  Step step;
  step.what = random_what(random);
  if (!has_replies && step.what == What::kReply) {
    step.what = What::kPacket;
  }
  const bool goes_on = is_packet(former) && one_in(random, 2);
  step.client = goes_on ? former.client : static_cast<uint8_t>(below(random, 4));
  step.listener =
      goes_on ? former.listener : static_cast<uint8_t>(below(random, scene.listeners.size()));
  step.client_port = goes_on ? former.client_port : static_cast<uint16_t>(40000 + below(random, 4));
  step.flags = kFlags[below(random, kFlags.size())];
  step.far_sequence = one_in(random, 12);
  step.wrong_acknowledgement = one_in(random, 8);
  step.offset = static_cast<uint16_t>(below(random, 2000));
  step.payload = kPayloads[below(random, kPayloads.size())];
  step.ttl = one_in(random, 20) ? static_cast<uint8_t>(1 + below(random, 2)) : uint8_t{64};
  step.tos = one_in(random, 4) ? static_cast<uint8_t>(below(random, 256)) : uint8_t{0};
  step.dont_fragment = one_in(random, 2);
  if (one_in(random, 4)) {
    step.extra = static_cast<Extra>(below(random, 7));
  }
  if (one_in(random, 25)) {
    step.to_mac = static_cast<ToMac>(below(random, 5));
  }
  step.variant = static_cast<uint8_t>(below(random, 64));
  step.other_server =
      one_in(random, 10) ? static_cast<uint16_t>(1 + below(random, 8)) : uint16_t{0};
  step.hashed = !one_in(random, 3);
  step.worker = one_in(random, 3) ? static_cast<int>(below(random, 4)) : -1;
  step.joins = one_in(random, 2);
  if (one_in(random, 30) && step.what != What::kAsk) {
    mutate(random, step);
  }
  if (one_in(random, 60)) {
    step.cut = static_cast<uint16_t>(1 + below(random, 60));
  }
  if (step.what == What::kPause) {
    step.pause_ms = static_cast<uint32_t>(one_in(random, 4) ? 1000 * (1 + below(random, 15))
                                                            : 1 + below(random, 900));
  }
  return step;
}

// A datagram in fragments: in disorder, with one lost, twice or too long, with a pause.
void add_datagram(Random& random, const Scene& scene, std::vector<Step>& steps, bool has_replies) {
  Step step;
  step.what = has_replies && one_in(random, 2) ? What::kReply : What::kPacket;
  step.client = static_cast<uint8_t>(below(random, 4));
  step.listener = static_cast<uint8_t>(below(random, scene.listeners.size()));
  step.client_port = static_cast<uint16_t>(40000 + below(random, 4));
  step.flags = kFlags[below(random, kFlags.size())];
  step.payload = static_cast<uint16_t>(100 + below(random, 4000));
  step.dont_fragment = one_in(random, 4);
  step.extra = one_in(random, 3) ? static_cast<Extra>(below(random, 7)) : Extra::kNone;
  step.datagram = static_cast<uint16_t>(steps.size());
  step.parts = static_cast<uint8_t>(2 + below(random, 4));
  std::vector<Step> parts;
  for (step.part = 0; step.part < step.parts; ++step.part) {
    step.hashed = !one_in(random, 3);
    step.worker = one_in(random, 3) ? static_cast<int>(below(random, 4)) : -1;
    step.overlaps = step.part != 0 && one_in(random, 16);
    step.ttl = one_in(random, 30) ? uint8_t{1} : uint8_t{64};
    if (!one_in(random, 20)) {
      parts.push_back(step);
    }
    if (one_in(random, 20)) {
      parts.push_back(step);
    }
  }
  if (one_in(random, 2)) {
    std::shuffle(parts.begin(), parts.end(), random);
  }
  for (const Step& part : parts) {
    steps.push_back(part);
    if (one_in(random, 16)) {
      Step pause;
      pause.what = What::kPause;
      pause.pause_ms = static_cast<uint32_t>(1 + below(random, 900));
      steps.push_back(pause);
    }
  }
}

}  // namespace

bool is_packet(const Step& step) {
  return step.what != What::kPause && step.what != What::kChange;
}

std::vector<Step> random_steps(uint64_t seed, const Scene& scene, const std::set<Mode>& modes,
                               size_t count) {
  Random random(seed);
  std::vector<Step> steps;
  Step former;
  const bool has_replies = modes.contains(Mode::kNat) || modes.contains(Mode::kFullNat);
  while (steps.size() < count) {
    if (one_in(random, 40)) {
      add_datagram(random, scene, steps, has_replies);
    }
    Step step = random_step(random, scene, former, has_replies);
    if (step.what == What::kChange) {
      step.change = random_change(random, scene, modes);
    }
    former = step;
    steps.push_back(std::move(step));
  }
  return steps;
}

// ---------------------------------------------------------------- notes

namespace {

std::string flags_text(uint8_t flags) {
  std::string text;
  for (const auto& [flag, letter] :
       {std::pair(kFlagSyn, 'S'), std::pair(kFlagFin, 'F'), std::pair(kFlagRst, 'R'),
        std::pair(kFlagPsh, 'P'), std::pair(kFlagAck, '.')}) {
    if ((flags & flag) != 0) {
      text += letter;
    }
  }
  return text;
}

const char* name_of(Extra extra) {
  return std::array{"",
                    ", with options",
                    ", priority tag",
                    ", padded",
                    ", no checksum",
                    ", bad checksum",
                    ", with TCP options"}[static_cast<size_t>(extra)];
}

const char* name_of(ToMac to_mac) {
  return std::array{"", ", to the port's MAC", ", to an alien MAC", ", to all",
                    ", from our MAC"}[static_cast<size_t>(to_mac)];
}

std::string details(const Step& step, bool tcp) {
  std::string text;
  if (tcp) {
    text += fmt::format(" {} sequence +{}{}{}", flags_text(step.flags), step.offset,
                        step.far_sequence ? " far off" : "",
                        step.wrong_acknowledgement ? ", acknowledges nonsense" : "");
  }
  text += fmt::format(", {} bytes", step.payload);
  if (step.ttl != 64) {
    text += fmt::format(", ttl {}", step.ttl);
  }
  if (step.dont_fragment) {
    text += ", DF";
  }
  text += name_of(step.extra);
  text += name_of(step.to_mac);
  if (step.parts != 0) {
    text += fmt::format(", fragment {} of {} of datagram {}{}", step.part + 1, step.parts,
                        step.datagram, step.overlaps ? ", overlapping" : "");
  }
  for (const auto& [place, bits] : step.mutations) {
    text += fmt::format(", byte {} ^ {:02x}", place, bits);
  }
  if (step.cut != 0) {
    text += fmt::format(", {} bytes cut off", step.cut);
  }
  if (step.worker >= 0) {
    text += fmt::format(", by worker {}", step.worker);
  }
  if (!step.hashed) {
    text += ", not hashed";
  }
  return text + (step.joins ? ", in the same burst" : "");
}

}  // namespace

std::string to_string(const Step& step, const Scene& scene) {
  if (step.what == What::kPause) {
    return fmt::format("{} ms pass", step.pause_ms);
  }
  if (step.what == What::kChange) {
    return "change: " + to_string(step.change, scene);
  }
  const ListenerSetup& listener = scene.listeners[step.listener];
  const bool tcp = listener.protocol == kProtocolTcp;
  const Client& client = scene.clients[step.client + (listener.vip.is_v4() ? 0U : 4U)];
  const std::string flow =
      fmt::format("{} [{}]:{} -> [{}]:{}", tcp ? "tcp" : "udp", client.address.to_string(),
                  step.client_port, listener.vip.to_string(), listener.port);
  switch (step.what) {
    case What::kPacket:
      return flow + details(step, tcp);
    case What::kReply:
      return (step.other_server == 0 ? "reply of " : "of some other server to ") + flow +
             details(step, tcp);
    case What::kErrorToVip:
      return fmt::format("ICMP error {} about the VIP's packet of {}{}", step.variant, flow,
                         details(step, tcp));
    case What::kErrorToServer:
      return fmt::format("ICMP error {} about what the server was sent of {}{}", step.variant, flow,
                         details(step, tcp));
    case What::kPing:
      return "ping in place of " + flow + details(step, false);
    case What::kAsk:
      return fmt::format("who has address {}", step.variant) + details(step, false);
    case What::kToNode:
      return "to the node in place of " + flow + details(step, tcp);
    case What::kTransit:
      return "to somebody else in place of " + flow + details(step, tcp);
    default:
      return "?";
  }
}

}  // namespace ballast::model
