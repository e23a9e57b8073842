// `track` of [[vrrp]]: each element has one of the keys port, service, script, file and route,
// which says what it is.
#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "control/config/endpoint.h"
#include "control/config/names.h"
#include "control/config/read_vrrp.h"
#include "toml_reader/duration.h"

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = VrrpTrack::Kind;

constexpr std::array kKinds{Kind::kPort, Kind::kService, Kind::kScript, Kind::kFile, Kind::kRoute};
constexpr TomlWord<FileIsUpIf> kUpIf[] = {{"exists", FileIsUpIf::kExists},
                                          {"missing", FileIsUpIf::kMissing}};

std::optional<Kind> read_kind(TomlTable& table) {
  std::optional<Kind> found;
  for (const Kind kind : kKinds) {
    if (!table.has(name_of(kind))) {
      continue;
    }
    if (found) {
      table.error(name_of(kind),
                  fmt::format("{} and {} are two things: write two elements of track",
                              name_of(*found), name_of(kind)));
      return std::nullopt;
    }
    found = kind;
  }
  if (!found) {
    table.error_at(table.where(),
                   "it does not say what is tracked: one of port, service, script, file and route "
                   "is needed");
  }
  return found;
}

// Whether what is tracked could be read.
bool read_subject(TomlTable& table, VrrpTrack& track) {
  const std::string_view key = name_of(track.kind);
  if (track.kind == Kind::kScript) {
    const auto command = read_command(table, key);
    track.command = command.value_or(std::vector<std::string>{});
    track.subject = fmt::format("{}", fmt::join(track.command, " "));
    return command.has_value();
  }
  const auto text = table.string(key);
  if (!text) {
    return false;
  }
  track.subject = *text;
  if (track.kind == Kind::kPort && !is_interface_name(*text)) {
    table.error(key, fmt::format("port {} is not the name of a port: {}", quote(*text),
                                 kInterfaceNameRule));
    return false;
  }
  if (track.kind == Kind::kFile && !is_path(*text)) {
    table.error(key, fmt::format("file {} is not a path: write an absolute one without blanks",
                                 quote(*text)));
    return false;
  }
  if (track.kind == Kind::kRoute && *text == "default") {
    table.error(key, "route \"default\" is of either family: write \"0.0.0.0/0\" or \"::/0\"");
    return false;
  }
  if (track.kind == Kind::kRoute) {
    const auto prefix = parse_prefix(*text);
    if (!prefix) {
      table.error(key, "route " + prefix.error());
      return false;
    }
    track.subject = prefix->to_string();
  }
  return true;  // whether there is such a service is known when all are read
}

bool read_script_times(TomlTable& table, VrrpTrack& track) {
  track.interval =
      table.duration("interval", milliseconds(100), seconds(3600)).value_or(track.interval);
  track.timeout = std::min(track.interval, track.timeout);
  track.timeout =
      table.duration("timeout", milliseconds(10), seconds(3600)).value_or(track.timeout);
  track.rise = table.integer<uint32_t>("rise", 1, 1000).value_or(track.rise);
  track.fall = table.integer<uint32_t>("fall", 1, 1000).value_or(track.fall);
  if (track.timeout > track.interval) {
    table.error(table.has("timeout") ? "timeout" : "interval",
                fmt::format("timeout {} is longer than the interval {}: a run must end before the "
                            "next begins",
                            format_duration(track.timeout), format_duration(track.interval)));
    return false;
  }
  return true;
}

}  // namespace

void read_vrrp_track(TomlTable table, VrrpSettings& instance, VrrpPositions& positions) {
  VrrpTrack track;
  const auto kind = read_kind(table);
  track.kind = kind.value_or(Kind::kPort);
  bool complete = kind && read_subject(table, track);
  track.weight = static_cast<int>(
      table.integer("weight", -vrrp::kMaximumWeight, vrrp::kMaximumWeight).value_or(0));
  if (kind == Kind::kScript) {
    complete = read_script_times(table, track) && complete;
  } else if (kind) {
    track.up_delay =
        table.duration("up_delay", milliseconds(0), seconds(3600)).value_or(milliseconds(0));
    track.down_delay =
        table.duration("down_delay", milliseconds(0), seconds(3600)).value_or(milliseconds(0));
  }
  if (kind == Kind::kFile) {
    complete = table.require("up_if") && complete;
    track.up_if = table.word("up_if", kUpIf).value_or(track.up_if);
  }
  if (kind) {
    table.finish();
  }
  if (complete) {
    instance.tracks.push_back(std::move(track));
    positions.tracks.push_back(table.where(name_of(*kind)));
  }
}

}  // namespace ballast::control
