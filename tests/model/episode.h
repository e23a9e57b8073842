// A run of steps through the dataplane and the model, side by side; and what is left of it when all
// is taken away that a difference does not need.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/model/scene.h"
#include "tests/model/step.h"

namespace ballast::model {

struct Difference {
  size_t step = 0;  // the last one that was made
  std::string text;
};

struct Tally {
  size_t packets = 0;
  size_t connections = 0;       // at the end
  std::vector<size_t> dropped;  // by reason
  size_t sent = 0;
};

// Nothing when both agree to the end.
[[nodiscard]] std::optional<Difference> play(const Scene& scene, const std::vector<Step>& steps,
                                             Tally* tally = nullptr);

// Fewer steps, simpler ones, that still differ.
[[nodiscard]] std::vector<Step> shrink(const Scene& scene, std::vector<Step> steps);

// The case in a network engineer's notes, a line for each step.
[[nodiscard]] std::string notes(const Scene& scene, const std::vector<Step>& steps);

// Plays episodes until so many packets have passed. Empty, or the notes of the first difference.
struct Plan {
  uint64_t seed = 1;
  size_t packets = 200'000;
  std::set<Mode> modes;
  std::optional<uint64_t> episode;  // this one alone
};
[[nodiscard]] std::string play_all(const Plan& plan, Tally& tally);

}  // namespace ballast::model
