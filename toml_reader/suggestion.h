// "did you mean": the known word that is nearest to a mistyped one.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace ballast {

// Edits (insert, delete, replace, swap of two neighbours) that turn one word into the other.
size_t edit_distance(std::string_view from, std::string_view to);

// The nearest of `known`, if it is near enough that a slip of the keyboard explains it.
std::optional<std::string_view> nearest_word(std::string_view word,
                                             std::span<const std::string_view> known);

}  // namespace ballast
