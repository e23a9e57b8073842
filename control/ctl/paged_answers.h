// Answers that come in pages, put together. A reload between two pages begins them anew, a few
// times.
#pragma once

#include <string>

#include <tl/expected.hpp>

#include "control/ctl/session.h"

namespace ballast::control {

// Of all services if the name is empty.
tl::expected<api::ListServicesAnswer, ClientError> list_services(Session& session,
                                                                 const std::string& name);
tl::expected<api::ChecksAnswer, ClientError> list_checks(Session& session);

}  // namespace ballast::control
