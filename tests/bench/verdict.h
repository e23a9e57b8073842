// Whether what was measured is what was meant: a benchmark that measured drops is worth nothing.
#pragma once

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

#include "tests/bench/director.h"

namespace ballast::bench {

// Between the two, every packet received was sent, to a server or from one, nothing was dropped,
// and the packets of at least as many flows as there are servers went by all of them, by none less
// than half its share.
tl::expected<void, std::string> all_was_forwarded(const Director::Books& before,
                                                  const Director::Books& after, uint64_t flows);

// "not_syn 12, no_route 3"; "nothing".
std::string drops_in_words(const Director::Books& before, const Director::Books& after);

}  // namespace ballast::bench
