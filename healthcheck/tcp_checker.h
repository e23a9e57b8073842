// tcp: healthy when the server completes the three-way handshake in time. Nothing is sent; the
// connection is reset.
#pragma once

#include <memory>

#include "healthcheck/checker.h"

namespace ballast::healthcheck {

std::unique_ptr<Checker> make_tcp_checker(boost::asio::io_context& loop,
                                          const CheckRequest& request);

}  // namespace ballast::healthcheck
