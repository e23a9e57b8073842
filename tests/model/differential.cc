// The differential test as a command, for longer runs:
//
//   ./dev differential --seed 7 --packets 5000000 [--mode nat] [--episode 12] [--counts]
//
// Exits with 1 and a small case when the dataplane and the model differ.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "dataplane/packet/drop_reason.h"
#include "tests/model/episode.h"

namespace {

using ballast::model::Mode;

std::set<Mode> modes_of(const std::vector<std::string>& names) {
  std::set<Mode> modes;
  for (const Mode mode : {Mode::kDr, Mode::kNat, Mode::kFullNat, Mode::kTun}) {
    if (names.empty() || std::find(names.begin(), names.end(), name_of(mode)) != names.end()) {
      modes.insert(mode);
    }
  }
  return modes;
}

void print_counts(const ballast::model::Tally& tally) {
  fmt::print("  {:8} forwarded\n", tally.sent);
  for (size_t reason = 1; reason < tally.dropped.size(); ++reason) {
    if (tally.dropped[reason] != 0) {
      fmt::print("  {:8} {}\n", tally.dropped[reason],
                 ballast::name_of(static_cast<ballast::DropReason>(reason)));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"random packets and changes through the dataplane and its reference model"};
  ballast::model::Plan plan;
  std::vector<std::string> modes;
  uint64_t episode = 0;
  bool counts = false;
  app.add_option("--seed", plan.seed, "of the random numbers");
  app.add_option("--packets", plan.packets, "how many at the least");
  app.add_option("--mode", modes, "dr, nat, fullnat, tun; several; all without")
      ->check(CLI::IsMember({"dr", "nat", "fullnat", "tun"}));
  const auto* one = app.add_option("--episode", episode, "this one alone");
  app.add_flag("--counts", counts, "say what became of the packets");
  CLI11_PARSE(app, argc, argv);
  plan.modes = modes_of(modes);
  if (!one->empty()) {
    plan.episode = episode;
  }
  ballast::model::Tally tally;
  const std::string difference = play_all(plan, tally);
  if (!difference.empty()) {
    fmt::print("{}", difference);
    return 1;
  }
  fmt::print("{} packets, {} connections at the ends: no difference\n", tally.packets,
             tally.connections);
  if (counts) {
    print_counts(tally);
  }
  return 0;
}
