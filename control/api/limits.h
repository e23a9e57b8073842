// Limits and the address of the protocol, which server and client share.
#pragma once

#include <cstddef>
#include <string_view>

namespace ballast::control {

inline constexpr std::string_view kDefaultControlSocket = "/run/ballast/ballastd.sock";
inline constexpr size_t kMaxControlRequest = size_t{4} << 20;
inline constexpr size_t kMaxControlAnswer = size_t{16} << 20;

}  // namespace ballast::control
