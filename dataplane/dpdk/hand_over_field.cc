#include "dataplane/dpdk/hand_over_field.h"

#include <fmt/format.h>
#include <rte_errno.h>

namespace ballast {

tl::expected<HandOverField, std::string> HandOverField::find_or_register() {
  static constexpr rte_mbuf_dynfield kField = {.name = "ballast_dynfield_hand_over",
                                               .size = sizeof(HandOverNote),
                                               .align = alignof(HandOverNote),
                                               .flags = 0};
  const int offset = rte_mbuf_dynfield_register(&kField);
  if (offset < 0) {
    return tl::unexpected(fmt::format("no room in mbufs for {} bytes that workers hand over: {}",
                                      sizeof(HandOverNote), rte_strerror(rte_errno)));
  }
  return HandOverField(offset);
}

}  // namespace ballast
