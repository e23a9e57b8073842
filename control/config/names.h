// What may be a name in ballast.toml.
#pragma once

#include <string_view>

namespace ballast::control {

// Of a service or a VRRP instance: it goes into metrics, logs and command lines.
bool is_name(std::string_view name);
inline constexpr std::string_view kNameRule = "1 to 64 letters, digits, \".\", \"_\" and \"-\"";

// What the kernel takes as the name of an interface (dev_valid_name).
bool is_interface_name(std::string_view name);
inline constexpr std::string_view kInterfaceNameRule =
    "1 to 15 characters without blanks, \"/\" and \":\"";

// Of a user or a group of this machine (useradd's rule).
bool is_account_name(std::string_view name);

// Absolute, and nothing that a terminal or a log would stumble over.
bool is_path(std::string_view path);

// No blanks, no control characters.
bool is_printable(std::string_view text);

}  // namespace ballast::control
