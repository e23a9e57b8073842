#include "control/config/validate_vrrp_group.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "toml_reader/duration.h"
#include "toml_reader/suggestion.h"
#include "vrrp/failover_check.h"

namespace ballast::control {
namespace {

// Subscripts of instances that move together.
using Members = std::vector<size_t>;

class GroupValidator {
 public:
  GroupValidator(const LocatedConfiguration& located, TomlReport& report)
      : located_(located), instances_(located.configuration.vrrp), report_(report) {}

  void run() {
    std::map<std::string, Members> groups;
    for (size_t i = 0; i < instances_.size(); ++i) {
      check_tracks(i);
      if (instances_[i].group.empty()) {
        check_weights({i});
      } else {
        groups[instances_[i].group].push_back(i);
      }
    }
    for (const auto& [name, members] : groups) {
      check_group(name, members);
      check_group_name(name, members);
    }
    check_quorums();
  }

 private:
  void error(size_t i, TomlPosition where, const std::string& message) {
    report_.error(where, fmt::format("vrrp \"{}\": {}", instances_[i].name, message));
  }

  void check_tracks(size_t i) {
    std::map<std::string, TomlPosition> seen;
    for (size_t j = 0; j < instances_[i].tracks.size(); ++j) {
      const VrrpTrack& track = instances_[i].tracks[j];
      const TomlPosition where = located_.vrrp[i].tracks[j];
      const auto [first, fresh] = seen.emplace(track.name(), where);
      if (!fresh) {
        error(i, where,
              fmt::format("track: {} is tracked already, in line {}", track.name(),
                          first->second.line));
      }
      if (track.kind == VrrpTrack::Kind::kService) {
        check_service(i, track, where);
      }
    }
  }

  void check_service(size_t i, const VrrpTrack& track, TomlPosition where) {
    std::vector<std::string_view> names;
    for (const ServiceSettings& service : located_.configuration.services) {
      if (service.name == track.subject) {
        return;
      }
      names.push_back(service.name);
    }
    const auto nearest = nearest_word(track.subject, names);
    error(i, where,
          fmt::format("track: there is no service {}{}", quote(track.subject),
                      nearest ? fmt::format(": did you mean \"{}\"?", *nearest)
                              : std::string(": name one of this file")));
  }

  // One opinion of everything that decides an election.
  void check_group(const std::string& name, const Members& members) {
    const VrrpSettings& first = instances_[members.front()];
    size_t routers = 0;
    for (const size_t i : members) {
      const VrrpSettings& other = instances_[i];
      const VrrpPositions& at = located_.vrrp[i];
      routers += (other.has(Family::kIpv4) ? 1U : 0U) + (other.has(Family::kIpv6) ? 1U : 0U);
      const auto agree = [&](bool same, std::string_view key, TomlPosition where,
                             const std::string& theirs, const std::string& firsts) {
        if (!same) {
          error(i, where,
                fmt::format("{} {} is not that of vrrp \"{}\", {}: both are in group \"{}\", whose "
                            "members move together: write the same in all of them",
                            key, theirs, first.name, firsts, name));
        }
      };
      const auto text = [](bool value) { return std::string(value ? "true" : "false"); };
      agree(other.priority == first.priority, "priority", at.priority,
            std::to_string(other.priority), std::to_string(first.priority));
      agree(other.preempt == first.preempt, "preempt", at.preempt, text(other.preempt),
            text(first.preempt));
      agree(other.preempt_delay == first.preempt_delay, "preempt_delay", at.preempt_delay,
            format_duration(other.preempt_delay), format_duration(first.preempt_delay));
      agree(other.start_delay == first.start_delay, "start_delay", at.start_delay,
            format_duration(other.start_delay), format_duration(first.start_delay));
    }
    if (members.size() == 1) {
      report_.warning(located_.vrrp[members.front()].group,
                      fmt::format("vrrp \"{}\": it is alone in group \"{}\"", first.name, name));
    }
    if (routers > vrrp::kMaximumRoutersPerGroup) {
      error(members.front(), located_.vrrp[members.front()].group,
            fmt::format("group \"{}\" has {} virtual routers: at most {}", name, routers,
                        vrrp::kMaximumRoutersPerGroup));
    }
    check_weights(members);
  }

  // `ballastctl vrrp failover NAME` takes either.
  void check_group_name(const std::string& name, const Members& members) {
    for (size_t i = 0; i < instances_.size(); ++i) {
      if (instances_[i].name == name && instances_[i].group != name) {
        error(members.front(), located_.vrrp[members.front()].group,
              fmt::format("group \"{}\" has the name of an instance that is not in it, in line {}: "
                          "give it another one",
                          name, located_.vrrp[i].where.line));
      }
    }
  }

  // A weight that can never move the addresses is a failover that never happens. What all members
  // track counts for each.
  void check_weights(const Members& members) {
    const VrrpSettings& first = instances_[members.front()];
    std::vector<vrrp::TrackSettings> things;
    TomlPosition where = located_.vrrp[members.front()].where;
    bool found = false;
    std::map<std::string, std::pair<size_t, size_t>> tracked;  // by name: member, track
    for (const size_t i : members) {
      const auto of_member = track_settings(instances_[i]);
      for (size_t j = 0; j < of_member.size(); ++j) {
        const TomlPosition here = located_.vrrp[i].tracks[j];
        const auto [known, fresh] = tracked.emplace(of_member[j].name, std::pair(i, j));
        if (!fresh) {
          check_same_track(i, j, known->second.first, known->second.second);
          continue;
        }
        if (of_member[j].weight != 0 && !found) {
          where = here;
          found = true;
        }
        things.push_back(of_member[j]);
      }
    }
    vrrp::GroupSettings group;
    group.name = first.name;
    group.priority = vrrp::Priority{first.priority};
    group.preempt = first.preempt;
    if (const auto can = vrrp::check_failover(group, things); !can) {
      error(members.front(), where, "track: " + can.error());
    } else if (!first.preempt && only_raises(things)) {
      const vrrp::PriorityRange range = vrrp::priority_range(group, things);
      report_.warning(
          where, fmt::format(
                     "vrrp \"{}\": track: with preempt = false a positive weight moves the "
                     "addresses only if the other nodes' priority lies between {} and {}: negative "
                     "weights, or preempt = true, do not depend on that",
                     first.name, static_cast<int>(range.lowest), static_cast<int>(range.highest)));
    }
  }

  // Members share what they track: one thing has one weight.
  void check_same_track(size_t i, size_t j, size_t first, size_t of_first) {
    const VrrpTrack& track = instances_[i].tracks[j];
    if (i != first && track != instances_[first].tracks[of_first]) {
      error(i, located_.vrrp[i].tracks[j],
            fmt::format(
                "track: {} is tracked in another way by vrrp \"{}\" in line {}, of the same "
                "group: write the same in both, or leave it out of one",
                track.name(), instances_[first].name, located_.vrrp[first].tracks[of_first].line));
    }
  }

  static bool only_raises(const std::vector<vrrp::TrackSettings>& things) {
    const auto raises = [](const vrrp::TrackSettings& thing) { return thing.weight > 0; };
    const auto lowers = [](const vrrp::TrackSettings& thing) { return thing.weight < 0; };
    return std::any_of(things.begin(), things.end(), raises) &&
           std::none_of(things.begin(), things.end(), lowers);
  }

  void check_quorums() {
    for (size_t i = 0; i < located_.configuration.services.size(); ++i) {
      const ServiceSettings& service = located_.configuration.services[i];
      const ServicePositions& at = located_.services[i];
      const bool tracked = std::any_of(
          instances_.begin(), instances_.end(), [&service](const VrrpSettings& instance) {
            return std::any_of(
                instance.tracks.begin(), instance.tracks.end(), [&service](const VrrpTrack& track) {
                  return track.kind == VrrpTrack::Kind::kService && track.subject == service.name;
                });
          });
      if (at.complete && service.quorum > 1 && service.quorum > service.servers.size()) {
        report_.error(at.quorum,
                      fmt::format("service \"{}\": quorum {} can never be met: the service has {} "
                                  "{}",
                                  service.name, service.quorum, service.servers.size(),
                                  service.servers.size() == 1 ? "server" : "servers"));
      } else if (at.quorum_given && !tracked) {
        report_.warning(at.quorum, fmt::format("service \"{}\": quorum has no effect: no [[vrrp]] "
                                               "tracks the service",
                                               service.name));
      }
    }
  }

  const LocatedConfiguration& located_;
  const std::vector<VrrpSettings>& instances_;
  TomlReport& report_;
};

}  // namespace

void validate_vrrp_groups(const LocatedConfiguration& located, TomlReport& report) {
  GroupValidator(located, report).run();
}

}  // namespace ballast::control
