#include "control/ctl/vrrp_view.h"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "control/api/printable.h"
#include "control/ctl/vrrp_words.h"
#include "control/ctl/words.h"

namespace ballast::control {
namespace {

// The router that was heard last. An active node hears nobody while all is well, so what it heard
// long ago says when.
std::string peer_text(const api::VrrpInstance& instance) {
  const api::VrrpPeer* latest = nullptr;
  for (const auto& router : instance.routers()) {
    for (const auto& peer : router.peers()) {
      if (peer.has_priority() &&
          (latest == nullptr || peer.last_milliseconds_ago() < latest->last_milliseconds_ago())) {
        latest = &peer;
      }
    }
  }
  if (latest == nullptr) {
    return "nobody heard";
  }
  std::string text =
      fmt::format("{} ({})", latest->address().empty() ? "others" : latest->address(),
                  latest->priority() == 0 ? "released" : std::to_string(latest->priority()));
  constexpr uint64_t kRecently = 10'000;
  if (latest->last_milliseconds_ago() >= kRecently) {
    text += fmt::format(", {} ago", lapse_of_milliseconds(latest->last_milliseconds_ago()));
  }
  return text;
}

std::string table_of(const api::ListVrrpAnswer& answer, Style style) {
  const auto& instances = answer.instances();
  const bool grouped = std::any_of(instances.begin(), instances.end(),
                                   [](const auto& instance) { return !instance.group().empty(); });
  std::vector<Column> columns{{"Name"}};
  if (grouped) {
    columns.push_back({"Group"});
  }
  for (Column column :
       {Column{"Interface"}, Column{"ID", Align::kRight}, Column{"State"}, Column{"Priority"},
        Column{"Heard last"}, Column{"For", Align::kRight}, Column{"Because"}}) {
    columns.push_back(std::move(column));
  }
  Table table(std::move(columns), style);
  for (const auto& instance : instances) {
    std::vector<Cell> cells{instance.name()};
    if (grouped) {
      cells.emplace_back(instance.group().empty() ? "-" : instance.group());
    }
    const bool changed = instance.has_last_change();
    for (Cell cell :
         {Cell(instance.interface()), Cell(std::to_string(instance.virtual_router_id())),
          state_cell(instance.state()),
          Cell(priority_text(instance.priority(), instance.configured_priority())),
          Cell(peer_text(instance)),
          Cell(changed ? duration(instance.last_change().seconds_ago()) : "-"),
          Cell(changed ? instance.last_change().reason() : "")}) {
      cells.push_back(std::move(cell));
    }
    table.add(std::move(cells));
  }
  return table.to_string();
}

std::string remark_line(const VrrpRemark& remark, Style style) {
  return fmt::format("{}: {}{}{}\n", printable(remark.instance),
                     style.paint(remark.colour, remark.kind), remark.kind.empty() ? "" : ": ",
                     printable(remark.text));
}

// What is about no instance: adverts that no instance wants, a thread that may be late.
std::string general_remarks(const api::ListVrrpAnswer& answer) {
  std::string text;
  constexpr uint64_t kRecently = 60'000;  // a wrong id that was put right is not told for ever
  for (const auto& stranger : answer.strangers()) {
    if (stranger.count() > 0 && stranger.last_milliseconds_ago() < kRecently) {
      text += printable(fmt::format(
          "{} unused: {}: last from {} {} ago{}",
          count(stranger.count(), "advert is", "adverts are"), stranger.meaning(),
          stranger.last_source(), lapse_of_milliseconds(stranger.last_milliseconds_ago()),
          answer.last_strange_id() == 0 ? "" : fmt::format(" (id {})", answer.last_strange_id())));
      text += "\n";
    }
  }
  if (!answer.real_time().empty() && answer.real_time().rfind("SCHED_", 0) != 0) {
    text += printable(answer.real_time()) + "\n";
  }
  return text;
}

}  // namespace

std::string render_vrrp(const api::ListVrrpAnswer& answer, Style style) {
  if (answer.instances().empty()) {
    return "no [[vrrp]] is configured: this node always holds its addresses\n";
  }
  std::string text = table_of(answer, style);
  std::string remarks;
  for (const auto& instance : answer.instances()) {
    for (const VrrpRemark& remark : remarks_on(instance)) {
      remarks += remark_line(remark, style);
    }
  }
  remarks += general_remarks(answer);
  return remarks.empty() ? text : text + "\n" + remarks;
}

std::string render_failover(const api::MoveVrrpAnswer& answer, const api::ListVrrpAnswer* after,
                            const std::string& name) {
  std::string who = fmt::format("{}", fmt::join(answer.instances(), ", "));
  if (who.empty()) {
    who = name;
  }
  if (!answer.now_active().empty()) {
    return printable(fmt::format("{}: moved to {} in {} ms", who, answer.now_active(),
                                 answer.milliseconds())) +
           "\n" +
           printable(fmt::format("does not come back by preemption until `ballastctl vrrp release "
                                 "{}`",
                                 name)) +
           "\n";
  }
  std::string text =
      fmt::format("{}: given away, but no other router has taken the addresses over", who);
  if (answer.milliseconds() > 0) {
    text += fmt::format(" within {}", interval_text(answer.milliseconds()));
  }
  text += ": ";
  std::vector<std::string> states;
  if (after != nullptr) {
    for (const auto& instance : after->instances()) {
      states.push_back(state_word(instance.state()));
    }
  }
  const bool active = !states.empty() && std::all_of(states.begin(), states.end(),
                                                     [](const auto& s) { return s == "ACTIVE"; });
  if (active) {
    text += "this node is active again";
  } else if (states.empty()) {
    text += "this node takes them back when it hears nobody; `ballastctl vrrp` says who has them";
  } else {
    text += fmt::format("this node is {} now and takes them back when it hears nobody",
                        fmt::join(states, ", "));
  }
  return printable(std::move(text)) +
         "\nis the other node up, healthy and in the same network? ask `ballastctl vrrp` there\n";
}

std::string render_release(const api::MoveVrrpAnswer& answer) {
  if (answer.instances().empty()) {
    return "nothing was held back\n";
  }
  return printable(fmt::format("{}: released: takes part in elections as configured",
                               fmt::join(answer.instances(), ", "))) +
         "\n";
}

std::string render_vrrp_names(const api::ListVrrpAnswer& answer) {
  std::set<std::string> names;
  for (const auto& instance : answer.instances()) {
    names.insert(instance.name());
    if (!instance.group().empty()) {
      names.insert(instance.group());
    }
  }
  std::string text;
  for (const std::string& name : names) {
    text += printable(name) + "\n";
  }
  return text;
}

}  // namespace ballast::control
