// http: healthy when the server answers one HTTP/1.1 request with an expected status in time.
//
// The deadline covers connecting, sending and the whole response header. The body is not read: the
// connection is reset once the header is there.
#pragma once

#include <memory>
#include <string>

#include "healthcheck/checker.h"

namespace ballast::healthcheck {

std::unique_ptr<Checker> make_http_checker(boost::asio::io_context& loop,
                                           const CheckRequest& request);

// The bytes that are sent.
std::string http_request_text(const CheckRequest& request);

}  // namespace ballast::healthcheck
