#include "healthcheck/check_settings.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "healthcheck/printable.h"

namespace ballast::healthcheck {
namespace {

using Result = tl::expected<void, std::string>;

// A token of RFC 9110 section 5.6.2, in capitals, as all registered methods are.
bool is_method(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
}

// No space and no control character: what would end the request line or a header early.
bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Result validate_http(const CheckSettings& settings) {
  if (!is_method(settings.method) || settings.method == "CONNECT") {
    return tl::unexpected(fmt::format("method: \"{}\" cannot be used; write GET, HEAD or OPTIONS",
                                      printable(settings.method)));
  }
  if (!settings.path.starts_with('/') || !is_visible(settings.path) ||
      settings.path.size() > CheckSettings::kMaxPathLength) {
    return tl::unexpected(fmt::format(
        "path: \"{}\" is not a path; it begins with \"/\", has no spaces (write %20), and at most "
        "{} characters",
        printable(settings.path), CheckSettings::kMaxPathLength));
  }
  if (!is_visible(settings.host) || settings.host.size() > CheckSettings::kMaxHostLength ||
      settings.host.find('/') != std::string::npos) {
    return tl::unexpected(
        fmt::format("host: \"{}\" is not a host name; write it as \"www.example.com\"",
                    printable(settings.host)));
  }
  if (settings.expect_status == StatusSet::none()) {
    return tl::unexpected(std::string("expect_status: is empty; write it as \"200-299,301\""));
  }
  return {};
}

template <typename Number>
Result validate_range(std::string_view name, Number value, Number lowest, Number highest,
                      std::string_view unit) {
  if (value >= lowest && value <= highest) {
    return {};
  }
  return tl::unexpected(fmt::format("{}: {}{} is out of range ({}{}-{}{})", name, value, unit,
                                    lowest, unit, highest, unit));
}

}  // namespace

Result validate(const CheckSettings& settings) {
  using Self = CheckSettings;
  return validate_range("interval", settings.interval.count(), Self::kMinInterval.count(),
                        Self::kMaxInterval.count(), "ms")
      .and_then([&] {
        return validate_range("timeout", settings.timeout.count(), Self::kMinTimeout.count(),
                              Self::kMaxTimeout.count(), "ms");
      })
      .and_then([&] { return validate_range("rise", settings.rise, 1U, Self::kMaxRise, ""); })
      .and_then([&] { return validate_range("fall", settings.fall, 1U, Self::kMaxFall, ""); })
      .and_then(
          [&] { return validate_range("jitter", settings.jitter, 0.0, Self::kMaxJitter, ""); })
      .and_then(
          [&] { return settings.type == CheckType::kHttp ? validate_http(settings) : Result{}; });
}

}  // namespace ballast::healthcheck
