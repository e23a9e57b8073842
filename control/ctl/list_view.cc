#include "control/ctl/list_view.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "control/api/printable.h"
#include "control/ctl/words.h"

namespace ballast::control {

std::string render_drops(const api::DropsAnswer& answer, bool all, Style style) {
  std::vector<const ballast::api::DropCount*> drops;
  for (const auto& drop : answer.drops()) {
    // "none" is the reason of packets that were not dropped.
    if (drop.reason() != "none" && (all || drop.packets() > 0)) {
      drops.push_back(&drop);
    }
  }
  if (drops.empty()) {
    return "no packets were dropped\n";
  }
  std::sort(drops.begin(), drops.end(), [](const auto* a, const auto* b) {
    return a->packets() != b->packets() ? a->packets() > b->packets() : a->reason() < b->reason();
  });
  Table table({{"Packets", Align::kRight}, {"Reason"}, {"Meaning"}}, style);
  for (const auto* drop : drops) {
    table.add({std::to_string(drop->packets()), drop->reason(), drop->meaning()});
  }
  return table.to_string();
}

std::string render_checks(const api::ChecksAnswer& answer, Style style) {
  if (answer.checks().empty()) {
    return "no servers are checked\n";
  }
  Table table({{"Service"},
               {"Server"},
               {"Health"},
               {"For", Align::kRight},
               {"InRow"},
               {"Runs", Align::kRight},
               {"Failed", Align::kRight},
               {"Check"},
               {"Last result"}},
              style);
  for (const auto& check : answer.checks()) {
    api::ServerStatus server;
    server.set_health(check.health());
    server.mutable_check();
    // What the health state counts: failures towards `fall` or successes towards `rise`.
    const std::string in_row =
        check.failures_in_row() > 0
            ? fmt::format("{}/{} bad", check.failures_in_row(), check.fall())
            : fmt::format("{}/{} good", check.successes_in_row(), check.rise());
    const std::string name =
        check.port() == 0 ? check.address() : endpoint(check.address(), check.port());
    table.add(
        {check.service(), name, health_cell(server), duration(check.changed_seconds_ago()), in_row,
         std::to_string(check.runs()), std::to_string(check.failures()), check.description(),
         check.last_result().empty()
             ? std::string("none yet")
             : fmt::format("{} ago: {}", duration(check.last_seconds_ago()), check.last_result())});
  }
  return table.to_string();
}

std::string render_changes(const google::protobuf::RepeatedPtrField<api::Change>& changes,
                           Style style) {
  std::string text;
  for (const auto& change : changes) {
    std::string line;
    Colour colour = Colour::kWarning;
    switch (change.kind()) {
      case api::Change::ADDED:
        line = "+ " + change.what() + (change.to().empty() ? "" : ": " + change.to());
        colour = Colour::kGood;
        break;
      case api::Change::REMOVED:
        line = "- " + change.what() + (change.from().empty() ? "" : ": " + change.from());
        colour = Colour::kBad;
        break;
      default:
        line = fmt::format("~ {}: {} -> {}", change.what(), change.from(), change.to());
    }
    text += style.paint(colour, printable(line)) + "\n";
  }
  return text;
}

std::string render_reload(const api::ReloadAnswer& answer, Style style) {
  if (answer.changes().empty()) {
    return fmt::format("{}: no change\n", answer.file());
  }
  std::string text = render_changes(answer.changes(), style);
  text += fmt::format("{}: {} loaded", answer.file(),
                      count(static_cast<uint64_t>(answer.changes_size()), "change", "changes"));
  if (!answer.dataplane_connected()) {
    text += "; the dataplane is not connected and gets them when it is";
  } else {
    text += fmt::format(", generation {}", answer.generation());
  }
  for (const uint32_t worker : answer.stalled_workers()) {
    text += fmt::format("; worker {} has not confirmed: see ballastctl status", worker);
  }
  return text + "\n";
}

std::string render_override(const api::SetServerOverrideAnswer& answer) {
  const auto& server = answer.server();
  const auto now = override_word(server.override());
  const std::string name =
      server.port() == 0 ? server.address() : endpoint(server.address(), server.port());
  std::string text = printable(fmt::format("service {}: server {}: ", answer.service(), name));
  text += now.empty() ? "enabled" : now;
  if (answer.before() == server.override()) {
    text += " already";
  }
  text += fmt::format(", {}, weight {} of {}", health_word(server.health()), server.weight(),
                      server.configured_weight());
  if (!answer.dataplane_connected()) {
    text += "; the dataplane is not connected and gets the change when it is";
  } else if (!answer.dataplane_confirmed()) {
    text += "; the dataplane has not confirmed it yet: see ballastctl status";
  } else {
    text += fmt::format(", {} still active",
                        count(server.active_connections(), "connection", "connections"));
  }
  return text + "\n";
}

}  // namespace ballast::control
