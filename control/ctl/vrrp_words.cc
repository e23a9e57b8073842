#include "control/ctl/vrrp_words.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "control/ctl/words.h"

namespace ballast::control {

std::string state_word(api::VrrpState state) {
  switch (state) {
    case api::ACTIVE:
      return "ACTIVE";
    case api::BACKUP:
      return "BACKUP";
    case api::FAULT:
      return "FAULT";
    case api::INITIALIZE:
      return "INITIALIZE";
    default:
      return "?";
  }
}

Cell state_cell(api::VrrpState state) {
  switch (state) {
    case api::ACTIVE:
      return {state_word(state), Colour::kGood};
    case api::BACKUP:
      return {state_word(state)};
    case api::FAULT:
      return {state_word(state), Colour::kBad};
    default:
      return {state_word(state), Colour::kWarning};
  }
}

std::string priority_text(uint32_t in_force, uint32_t configured) {
  if (configured == 0 || in_force == configured) {
    return std::to_string(in_force);
  }
  return in_force < configured ? fmt::format("{} of {}", in_force, configured)
                               : fmt::format("{}+{}", configured, in_force - configured);
}

std::string lapse(uint64_t microseconds) {
  constexpr uint64_t kMillisecond = 1000;
  constexpr uint64_t kSecond = 1000 * kMillisecond;
  if (microseconds < 100 * kMillisecond) {
    return fmt::format("{:.3g} ms", static_cast<double>(microseconds) / kMillisecond);
  }
  if (microseconds < kSecond) {
    return fmt::format("{} ms", microseconds / kMillisecond);
  }
  if (microseconds < 10 * kSecond) {
    return fmt::format("{}.{} s", microseconds / kSecond, microseconds % kSecond / (kSecond / 10));
  }
  return duration(microseconds / kSecond);
}

std::string lapse_of_milliseconds(uint64_t milliseconds) {
  return lapse(std::min(milliseconds, std::numeric_limits<uint64_t>::max() / 1000) * 1000);
}

std::string interval_text(uint64_t milliseconds) {
  return milliseconds > 0 && milliseconds % 1000 == 0 ? fmt::format("{} s", milliseconds / 1000)
                                                      : fmt::format("{} ms", milliseconds);
}

std::string family_word(uint32_t family) {
  return fmt::format("IPv{}", family);
}

std::string held_back_text(const std::string& group, const std::string& instance) {
  return fmt::format(
      "moved away by hand: takes the addresses back only if nobody else has them; `ballastctl "
      "vrrp release {}` lets it take part again",
      group.empty() ? instance : group);
}

namespace {

bool families_differ(const api::VrrpInstance& instance) {
  const auto& routers = instance.routers();
  return std::any_of(routers.begin(), routers.end(),
                     [&](const auto& router) { return router.state() != routers[0].state(); });
}

void remark_on_routers(const api::VrrpInstance& instance, std::vector<VrrpRemark>& remarks) {
  const bool differ = families_differ(instance);
  for (const auto& router : instance.routers()) {
    const std::string family = family_word(router.family());
    if (differ) {
      remarks.push_back({instance.name(), "", Colour::kNone,
                         fmt::format("{} is {}", family, state_word(router.state()))});
    }
    if (!router.socket_error().empty()) {
      remarks.push_back(
          {instance.name(), "no adverts", Colour::kBad,
           fmt::format("{}: they cannot be sent or heard: {}", family, router.socket_error())});
    }
  }
}

}  // namespace

std::vector<VrrpRemark> remarks_on(const api::VrrpInstance& instance) {
  std::vector<VrrpRemark> remarks;
  for (const std::string& fault : instance.faults()) {
    remarks.push_back({instance.name(), "FAULT", Colour::kBad, fault});
  }
  remark_on_routers(instance, remarks);
  for (const std::string& disagreement : instance.disagreements()) {
    remarks.push_back({instance.name(), "disagreement", Colour::kWarning, disagreement});
  }
  // One whose weight is 0 is among the faults.
  for (const auto& track : instance.tracks()) {
    if (track.weight() != 0 && track.standing() == api::VrrpTrack::DOWN) {
      std::string text =
          fmt::format("weight {:+}, priority {}", track.weight(),
                      priority_text(instance.priority(), instance.configured_priority()));
      text = fmt::format("{} ({}){}{}", track.name(), text, track.text().empty() ? "" : ": ",
                         track.text());
      remarks.push_back({instance.name(), "down", Colour::kWarning, std::move(text)});
    }
  }
  if (instance.held_back()) {
    remarks.push_back(
        {instance.name(), "", Colour::kNone, held_back_text(instance.group(), instance.name())});
  }
  return remarks;
}

}  // namespace ballast::control
