// Keeps the kernel quiet on an interface that a port shares with it (af_packet).
//
// The kernel gets a copy of every frame and would answer ARP, ping and TCP itself. An nftables
// table with one chain on the interface's ingress hook drops them there, behind the tap of
// af_packet. The table has `flags owner`: it belongs to the netlink socket of this process and
// vanishes with it, however the process ends.
#pragma once

#include <memory>
#include <string>

#include <tl/expected.hpp>

struct nft_ctx;

namespace ballast {

class KernelSilence {
 public:
  static tl::expected<KernelSilence, std::string> impose(const std::string& kernel_interface);

 private:
  using Context = std::unique_ptr<nft_ctx, void (*)(nft_ctx*)>;
  explicit KernelSilence(Context context) : context_(std::move(context)) {}
  Context context_;
};

}  // namespace ballast
