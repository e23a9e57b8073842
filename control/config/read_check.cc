#include "control/config/read_check.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "healthcheck/checker_list.h"
#include "toml_reader/duration.h"

namespace ballast::control {
namespace {

using healthcheck::CheckSettings;
using healthcheck::CheckType;
using std::chrono::milliseconds;

constexpr milliseconds kDefaultTimeout{1000};

// What these three hold is written into a request as it is: a line break in one of them would be
// another header.

// RFC 9112 section 3.2.1, origin-form: visible ASCII; what else a path needs is percent-encoded.
bool is_request_path(std::string_view text) {
  return !text.empty() && text.front() == '/' && text.size() <= CheckSettings::kMaxPathLength &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; }) &&
         text.find('#') == std::string_view::npos;
}

// RFC 9110 section 7.2: uri-host and an optional port.
bool is_host(std::string_view text) {
  constexpr std::string_view kOther = "-._~%!$&'()*+,;=:[]";
  return !text.empty() && text.size() <= CheckSettings::kMaxHostLength &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  kOther.find(c) != std::string_view::npos;
         });
}

// Methods are case-sensitive, and all registered ones are upper case (RFC 9110 section 9.1).
// CONNECT takes no path.
bool is_method(std::string_view text) {
  return !text.empty() && text.size() <= 32 && text != "CONNECT" &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; });
}

void read_http(TomlTable& table, CheckSettings& settings) {
  if (const auto path = table.string("path")) {
    if (is_request_path(*path)) {
      settings.path = *path;
    } else {
      table.error("path", fmt::format("path {} is not a request path: it begins with \"/\" and has "
                                      "only visible ASCII characters without \"#\"; write others "
                                      "as %20",
                                      quote(*path)));
    }
  }
  if (const auto host = table.string("host")) {
    if (is_host(*host)) {
      settings.host = *host;
    } else {
      table.error("host", fmt::format("host {} is not a host name: write it as \"www.example.com\"",
                                      quote(*host)));
    }
  }
  if (const auto method = table.string("method")) {
    if (is_method(*method)) {
      settings.method = *method;
    } else {
      table.error("method",
                  fmt::format("method {} is not a method: write it as \"GET\" or \"HEAD\"",
                              quote(*method)));
    }
  }
  if (const auto statuses = table.string("expect_status")) {
    if (const auto set = healthcheck::StatusSet::parse(*statuses)) {
      settings.expect_status = *set;
    } else {
      table.error("expect_status",
                  fmt::format("expect_status {}: {}", quote(*statuses), set.error()));
    }
  }
}

void read_times(TomlTable& table, CheckReading& reading) {
  CheckSettings& settings = reading.settings;
  const bool interval_given = table.has("interval");
  settings.interval =
      table.duration("interval", CheckSettings::kMinInterval, CheckSettings::kMaxInterval)
          .value_or(settings.interval);
  if (table.has("timeout")) {
    reading.timeout_given = true;
    settings.timeout =
        table.duration("timeout", CheckSettings::kMinTimeout, CheckSettings::kMaxTimeout)
            .value_or(settings.interval);
  } else if (!reading.timeout_given) {
    settings.timeout = std::min(settings.interval, kDefaultTimeout);
  }
  if (settings.timeout > settings.interval && (interval_given || table.has("timeout"))) {
    table.error(table.has("timeout") ? "timeout" : "interval",
                fmt::format("timeout {} is longer than the interval {}: a check must end before "
                            "the next begins",
                            format_duration(settings.timeout), format_duration(settings.interval)));
  }
}

}  // namespace

CheckReading read_check(TomlTable table, const CheckReading& inherited, bool type_required) {
  CheckReading reading = inherited;
  CheckSettings& settings = reading.settings;
  if (type_required) {
    table.require("type");
  }
  const auto types = healthcheck::check_type_names();
  const auto type = table.word_index("type", types);
  if (type) {
    settings.type = healthcheck::parse_check_type(types[*type]).value_or(settings.type);
  }
  settings.port = table.integer<uint16_t>("port", 1, 65535).value_or(settings.port);
  read_http(table, settings);
  read_times(table, reading);
  settings.rise =
      table.integer<uint32_t>("rise", 1, CheckSettings::kMaxRise).value_or(settings.rise);
  settings.fall =
      table.integer<uint32_t>("fall", 1, CheckSettings::kMaxFall).value_or(settings.fall);
  settings.jitter = table.number("jitter", 0, CheckSettings::kMaxJitter).value_or(settings.jitter);
  constexpr std::array<std::string_view, 4> kHttpOnly{"path", "host", "method", "expect_status"};
  for (const std::string_view key : kHttpOnly) {
    if (type && settings.type != CheckType::kHttp && table.has(key)) {
      table.warning_at(table.where(key), fmt::format("{} has no effect: it is for type \"http\", "
                                                     "and this is \"{}\"",
                                                     key, healthcheck::to_string(settings.type)));
    }
  }
  table.finish();
  return reading;
}

}  // namespace ballast::control
