// The ways addresses are written in ballast.toml. Errors say what is wrong and what would be right,
// with the text.
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "control/config/configuration.h"

namespace ballast::control {

// "192.0.2.10", "2001:db8::10"
tl::expected<IpAddress, std::string> parse_address(std::string_view text);
// "tcp/192.0.2.10:80", "udp/[2001:db8::10]:53"
tl::expected<Listener, std::string> parse_listener(std::string_view text);
// "10.0.0.11:8080", "10.0.0.11", "[2001:db8::11]:80", "2001:db8::11"; without a port the port is 0
tl::expected<ServerKey, std::string> parse_server(std::string_view text);
// "10.0.0.1/24"
tl::expected<InterfaceAddress, std::string> parse_interface_address(std::string_view text);
// "10.1.0.0/16"; `form` is how messages say that it is written.
tl::expected<Prefix, std::string> parse_prefix(
    std::string_view text, std::string_view form = R"("10.1.0.0/16" or "2001:db8:1::/48")");

}  // namespace ballast::control
