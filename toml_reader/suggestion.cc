#include "toml_reader/suggestion.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ballast {

size_t edit_distance(std::string_view from, std::string_view to) {
  // Three rows of the table of Damerau and Levenshtein (optimal string alignment).
  std::vector<size_t> before(to.size() + 1);
  std::vector<size_t> above(to.size() + 1);
  std::vector<size_t> row(to.size() + 1);
  for (size_t j = 0; j <= to.size(); ++j) {
    row[j] = j;
  }
  for (size_t i = 1; i <= from.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = i;
    for (size_t j = 1; j <= to.size(); ++j) {
      const size_t replace = above[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({replace, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[to.size()];
}

std::optional<std::string_view> nearest_word(std::string_view word,
                                             std::span<const std::string_view> known) {
  constexpr size_t kLongestWord = 64;  // nothing longer is a slip of the keyboard
  if (word.empty() || word.size() > kLongestWord) {
    return std::nullopt;
  }
  std::optional<std::string_view> nearest;
  size_t smallest = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < smallest && distance < candidate.size()) {
      smallest = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace ballast
