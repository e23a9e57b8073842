#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "control/api/printable.h"
#include "control/config/address_block.h"
#include "control/ctl/vrrp_view.h"
#include "control/ctl/vrrp_words.h"
#include "control/ctl/words.h"

namespace ballast::control {
namespace {

constexpr std::string_view kIndent = "  ";

// "2026-03-01 04:05:06.123 UTC"
std::string utc_of_milliseconds(int64_t since_1970) {
  const int64_t part = (since_1970 % 1000 + 1000) % 1000;
  const int64_t seconds = since_1970 / 1000 - (since_1970 % 1000 < 0 ? 1 : 0);
  std::string text = utc(seconds);
  return text.insert(std::min(text.find(" UTC"), text.size()), fmt::format(".{:03}", part));
}

std::string last_change_text(const api::VrrpChange& change) {
  return fmt::format("{} -> {} {} ago{}: {}", state_word(change.from()), state_word(change.to()),
                     duration(change.seconds_ago()),
                     change.at_milliseconds() == 0
                         ? ""
                         : fmt::format(" ({})", utc_of_milliseconds(change.at_milliseconds())),
                     change.reason());
}

std::string attributes(const api::VrrpInstance& instance, Style style) {
  Table table({{""}, {""}}, style);
  table.add({"instance", {instance.name(), Colour::kHeading}});
  if (!instance.group().empty()) {
    table.add({"group", instance.group()});
  }
  table.add({"state", state_cell(instance.state())});
  table.add({"priority", priority_text(instance.priority(), instance.configured_priority())});
  table.add({"preempt", instance.preempt() ? "yes: takes the addresses from a lower router"
                                           : "no: a healthy active router keeps the addresses"});
  table.add({"interface", fmt::format("{}, virtual router {}", instance.interface(),
                                      instance.virtual_router_id())});
  if (instance.has_last_change()) {
    table.add({"last change", last_change_text(instance.last_change())});
  }
  for (const VrrpRemark& remark : remarks_on(instance)) {
    table.add({remark.kind.empty() ? Cell("note") : Cell(remark.kind, remark.colour), remark.text});
  }
  return table.rows_to_string();
}

Cell standing_cell(api::VrrpTrack::Standing standing) {
  switch (standing) {
    case api::VrrpTrack::UP:
      return {"up", Colour::kGood};
    case api::VrrpTrack::DOWN:
      return {"DOWN", Colour::kBad};
    default:
      return {"not seen yet", Colour::kWarning};
  }
}

std::string track_table(const api::VrrpInstance& instance, Style style) {
  Table table({{"Track"}, {"Standing"}, {"When down"}, {"Seen last"}}, style);
  for (const auto& track : instance.tracks()) {
    std::string effect = "FAULT";
    if (track.weight() > 0) {
      effect = fmt::format("without {:+}", track.weight());
    } else if (track.weight() < 0) {
      effect = fmt::format("priority {:+}", track.weight());
    }
    table.add({track.name(), standing_cell(track.standing()), effect, track.text()});
  }
  return table.empty() ? "" : "\n" + table.to_string();
}

std::string lease_text(const std::string& lease) {
  if (lease == "full") {
    return "full: the dataplane answers for the addresses and forwards";
  }
  if (lease == "forward") {
    return "forward: the dataplane forwards, and answers for no address";
  }
  return lease == "none" ? "none: the dataplane leaves the addresses alone" : lease;
}

std::string both_active_text(const api::VrrpRouter& router) {
  if (router.both_active_episodes() == 0) {
    return "never";
  }
  return fmt::format("{}, {} ms in all, the longest {} ms",
                     count(router.both_active_episodes(), "time", "times"),
                     router.both_active_milliseconds(), router.both_active_longest_milliseconds());
}

std::string interval_line(const api::VrrpRouter& router) {
  std::string text = interval_text(router.advert_interval_milliseconds());
  if (router.state() == api::BACKUP && router.learnt_interval_milliseconds() > 0) {
    text += fmt::format("; learnt from the active router: {}",
                        interval_text(router.learnt_interval_milliseconds()));
  }
  return text;
}

// Without those that are shown as something else.
std::vector<std::string> vips_of(const api::VrrpRouter& router) {
  const std::set<std::string> gateways(router.gateways().begin(), router.gateways().end());
  const std::set<std::string> local(router.local_addresses().begin(),
                                    router.local_addresses().end());
  std::vector<std::string> vips;
  std::ranges::copy_if(router.addresses(), std::back_inserter(vips), [&](const auto& address) {
    return !gateways.contains(address) && !local.contains(address);
  });
  return vips;
}

template <class Texts>
std::vector<std::string> as_ranges(const Texts& texts) {
  std::vector<IpAddress> addresses;
  for (const std::string& text : texts) {
    if (const auto address = IpAddress::parse(text)) {
      addresses.push_back(*address);
    }
  }
  return ranges_of(std::move(addresses));
}

std::string router_attributes(const api::VrrpRouter& router, Style style) {
  Table table({{""}, {""}}, style, std::string(kIndent));
  table.add({"addresses", fmt::format("{}", fmt::join(vips_of(router), ", "))});
  if (!router.gateways().empty()) {
    table.add({"gateways", fmt::format("{}", fmt::join(router.gateways(), ", "))});
  }
  if (!router.local_addresses().empty()) {
    table.add({"local", fmt::format("{}", fmt::join(as_ranges(router.local_addresses()), ", "))});
  }
  table.add({"virtual MAC",
             router.virtual_mac().empty() ? "none: the port's own is used" : router.virtual_mac()});
  table.add({"lease", lease_text(router.lease())});
  table.add({"sends from", router.own_address().empty() ? "no address yet" : router.own_address()});
  table.add({"interval", interval_line(router)});
  table.add({"sent", fmt::format("{}, {} of them priority 0; at most {} late",
                                 count(router.adverts_sent(), "advert", "adverts"),
                                 router.priority_zero_sent(),
                                 lapse(router.largest_lateness_microseconds()))});
  table.add({"received", fmt::format("{}, {} of them priority 0",
                                     count(router.adverts_received(), "advert", "adverts"),
                                     router.priority_zero_received())});
  table.add(
      {"active", fmt::format("entered {}, left {}", count(router.became_active(), "time", "times"),
                             count(router.left_active(), "time", "times"))});
  table.add({"both active",
             {both_active_text(router),
              router.both_active_episodes() == 0 ? Colour::kNone : Colour::kWarning}});
  table.add({"frozen", router.freezes() == 0
                           ? std::string("never")
                           : fmt::format("{}: this node was not running for too long",
                                         count(router.freezes(), "time", "times"))});
  table.add({"send errors", std::to_string(router.send_errors())});
  return table.rows_to_string();
}

std::string fault_summary(const api::VrrpPeer& peer) {
  std::vector<std::string> parts;
  for (const auto& fault : peer.faults()) {
    parts.push_back(fmt::format("{} {}", fault.rule(), fault.count()));
  }
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string peer_table(const api::VrrpRouter& router, Style style) {
  if (router.peers().empty()) {
    return fmt::format("\n{}nobody heard\n", kIndent);
  }
  Table table({{"Peer"},
               {"Priority", Align::kRight},
               {"Interval", Align::kRight},
               {"Adverts", Align::kRight},
               {"Heard", Align::kRight},
               {"LargestGap", Align::kRight},
               {"Checksum"},
               {"Faults"}},
              style, std::string(kIndent));
  for (const auto& peer : router.peers()) {
    const bool counted = peer.has_priority();
    table.add({peer.address().empty() ? "others" : peer.address(),
               counted ? std::to_string(peer.priority()) : "-",
               counted ? interval_text(peer.advert_interval_milliseconds()) : "-",
               std::to_string(peer.adverts()),
               counted ? lapse_of_milliseconds(peer.last_milliseconds_ago()) + " ago" : "never",
               counted ? lapse(peer.largest_gap_microseconds()) : "-",
               counted && !peer.checksum().empty() ? peer.checksum() : "-", fault_summary(peer)});
  }
  return "\n" + table.to_string();
}

template <class Faults>
std::string fault_table(const Faults& faults, const std::string& heading, Style style,
                        std::string_view indent) {
  Table table({{heading},
               {"Count", Align::kRight},
               {"Advert"},
               {"Last from"},
               {"Ago", Align::kRight},
               {"Meaning"}},
              style, std::string(indent));
  for (const auto& fault : faults) {
    table.add({fault.rule(), std::to_string(fault.count()),
               fault.discarded() ? Cell("discarded", Colour::kWarning) : Cell("counted"),
               fault.last_source().empty() ? "-" : fault.last_source(),
               lapse_of_milliseconds(fault.last_milliseconds_ago()), fault.meaning()});
  }
  return table.empty() ? "" : "\n" + table.to_string();
}

std::string router_section(const api::VrrpRouter& router, Style style) {
  const Cell state = state_cell(router.state());
  return fmt::format("\n{}: {}, VRRP version {}\n",
                     style.paint(Colour::kHeading, family_word(router.family())),
                     style.paint(state.colour, state.text), router.version()) +
         router_attributes(router, style) + peer_table(router, style) +
         fault_table(router.faults(), "Fault", style, kIndent);
}

}  // namespace

std::string render_vrrp_details(const api::ListVrrpAnswer& answer, Style style) {
  std::string text;
  for (const auto& instance : answer.instances()) {
    text += text.empty() ? "" : "\n";
    text += attributes(instance, style) + track_table(instance, style);
    for (const auto& router : instance.routers()) {
      text += router_section(router, style);
    }
  }
  if (!answer.real_time().empty()) {
    text += "\nreal-time priority of the adverts' thread: " + printable(answer.real_time()) + "\n";
  }
  text += fault_table(answer.strangers(), "For nobody here", style, "");
  if (!answer.strangers().empty() && answer.last_strange_id() != 0) {
    text += fmt::format("the last of them was for virtual router {}\n", answer.last_strange_id());
  }
  return text;
}

}  // namespace ballast::control
