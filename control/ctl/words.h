// Values of the protocol in the words that people read: addresses, durations, sizes, modes, health.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "control/api/control.pb.h"
#include "control/ctl/table.h"

namespace ballast::control {

// "10.0.0.11:80", "[2001:db8::11]:80"
std::string endpoint(std::string_view address, uint32_t port);
// The server's, with the port that its connections arrive on where it has none of its own; ":*"
// where those differ.
std::string server_endpoint(const api::ServiceStatus& service, const api::ServerStatus& server);

std::string protocol(ballast::api::Protocol value);  // "TCP"
std::string forward_word(
    ballast::api::Mode mode);  // as ipvsadm: "Route", "Masq", "Tunnel"; and "FullNat"
std::string mode_word(ballast::api::Mode mode);           // as ballast.toml: "dr"
std::string override_word(ballast::api::Override value);  // "drained", "disabled", ""

std::string duration(uint64_t seconds);            // "45s", "3m12s", "5h03m", "12d4h"
std::string expiry(uint32_t seconds);              // as ipvsadm -c: "14:59"
std::string bytes(uint64_t count);                 // "512 B", "1.5 MiB"
std::string utc(int64_t seconds_since_1970);       // "2026-03-01 04:05:06 UTC"
std::string share(uint64_t part, uint64_t whole);  // "12 %"; empty when there is no whole
std::string count(uint64_t number, std::string_view singular, std::string_view plural);

std::string health_word(ballast::api::Health value);  // "up", "down", "unknown"

// "up", "down", "unknown", "unchecked", with what was set by hand: "up, drained".
Cell health_cell(const api::ServerStatus& server);
// A server that would get a new connection now.
bool takes_connections(const api::ServerStatus& server);

}  // namespace ballast::control
