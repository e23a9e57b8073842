#include "dataplane/dpdk/kernel_silence.h"

extern "C" {
#include <nftables/libnftables.h>
}

#include <fmt/format.h>

namespace ballast {

tl::expected<KernelSilence, std::string> KernelSilence::impose(
    const std::string& kernel_interface) {
  Context context(nft_ctx_new(NFT_CTX_DEFAULT), &nft_ctx_free);
  if (!context) {
    return tl::unexpected(std::string("nftables: out of memory"));
  }
  nft_ctx_buffer_error(context.get());
  nft_ctx_buffer_output(context.get());
  const std::string rules = fmt::format(
      "table netdev ballast-{0} {{ flags owner; chain ingress {{ "
      "type filter hook ingress device \"{0}\" priority -500; policy drop; }}; }}",
      kernel_interface);
  if (nft_run_cmd_from_buffer(context.get(), rules.c_str()) != 0) {
    return tl::unexpected(
        fmt::format("interface \"{}\": cannot keep the kernel from answering on it: nftables: {}: "
                    "use af_xdp:{}, which shares nothing",
                    kernel_interface, nft_ctx_get_error_buffer(context.get()), kernel_interface));
  }
  return KernelSilence(std::move(context));
}

}  // namespace ballast
