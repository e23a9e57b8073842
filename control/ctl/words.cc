#include "control/ctl/words.h"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>

namespace ballast::control {

std::string endpoint(std::string_view address, uint32_t port) {
  const bool v6 = address.find(':') != std::string_view::npos;
  return v6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

std::string server_endpoint(const api::ServiceStatus& service, const api::ServerStatus& server) {
  if (server.port() != 0) {
    return endpoint(server.address(), server.port());
  }
  const auto& listeners = service.listeners();
  const bool one_port = !listeners.empty() &&
                        std::all_of(listeners.begin(), listeners.end(), [&](const auto& listener) {
                          return listener.port() == listeners[0].port();
                        });
  if (one_port) {
    return endpoint(server.address(), listeners[0].port());
  }
  std::string text = endpoint(server.address(), 0);
  text.back() = '*';
  return text;
}

std::string protocol(ballast::api::Protocol value) {
  switch (value) {
    case ballast::api::TCP:
      return "TCP";
    case ballast::api::UDP:
      return "UDP";
    default:
      return fmt::format("{}", static_cast<int>(value));
  }
}

std::string forward_word(ballast::api::Mode mode) {
  switch (mode) {
    case ballast::api::DR:
      return "Route";
    case ballast::api::NAT:
      return "Masq";
    case ballast::api::FULLNAT:
      return "FullNat";
    case ballast::api::TUN:
      return "Tunnel";
    default:
      return "?";
  }
}

std::string mode_word(ballast::api::Mode mode) {
  switch (mode) {
    case ballast::api::DR:
      return "dr";
    case ballast::api::NAT:
      return "nat";
    case ballast::api::FULLNAT:
      return "fullnat";
    case ballast::api::TUN:
      return "tun";
    default:
      return "?";
  }
}

std::string override_word(ballast::api::Override value) {
  switch (value) {
    case ballast::api::DRAINED:
      return "drained";
    case ballast::api::DISABLED:
      return "disabled";
    default:
      return "";
  }
}

std::string health_word(ballast::api::Health value) {
  switch (value) {
    case ballast::api::UP:
      return "up";
    case ballast::api::DOWN:
      return "down";
    default:
      return "unknown";
  }
}

std::string duration(uint64_t seconds) {
  constexpr uint64_t kMinute = 60;
  constexpr uint64_t kHour = 60 * kMinute;
  constexpr uint64_t kDay = 24 * kHour;
  if (seconds < kMinute) {
    return fmt::format("{}s", seconds);
  }
  if (seconds < kHour) {
    return fmt::format("{}m{:02}s", seconds / kMinute, seconds % kMinute);
  }
  if (seconds < kDay) {
    return fmt::format("{}h{:02}m", seconds / kHour, seconds % kHour / kMinute);
  }
  return fmt::format("{}d{}h", seconds / kDay, seconds % kDay / kHour);
}

std::string expiry(uint32_t seconds) {
  return fmt::format("{:02}:{:02}", seconds / 60, seconds % 60);
}

std::string bytes(uint64_t count) {
  static constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  if (count < 1024) {
    return fmt::format("{} B", count);
  }
  auto value = static_cast<double>(count);
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string utc(int64_t seconds_since_1970) {
  const std::time_t time = seconds_since_1970;
  std::tm parts{};
  std::array<char, 64> text{};
  if (gmtime_r(&time, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
    return "?";
  }
  return text.data();
}

std::string share(uint64_t part, uint64_t whole) {
  if (whole == 0) {
    return "";
  }
  return fmt::format("{:.0f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string count(uint64_t number, std::string_view singular, std::string_view plural) {
  return fmt::format("{} {}", number, number == 1 ? singular : plural);
}

Cell health_cell(const api::ServerStatus& server) {
  if (server.removed()) {
    return {"removed", Colour::kWarning};
  }
  Cell cell{health_word(server.health())};
  if (server.health() == ballast::api::UP) {
    cell.colour = Colour::kGood;
  } else if (server.health() == ballast::api::DOWN) {
    cell.colour = Colour::kBad;
  } else if (!server.has_check()) {
    cell.text = "unchecked";
  }
  if (server.override() != ballast::api::NO_OVERRIDE) {
    cell.text += ", " + override_word(server.override());
    cell.colour = cell.colour == Colour::kBad ? Colour::kBad : Colour::kWarning;
  }
  return cell;
}

bool takes_connections(const api::ServerStatus& server) {
  return !server.removed() && server.weight() > 0 && server.health() != ballast::api::DOWN &&
         server.override() == ballast::api::NO_OVERRIDE;
}

}  // namespace ballast::control
