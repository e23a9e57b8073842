// The short lists of ballastctl: drops, checks, changes of the configuration, a server that was
// overridden.
#pragma once

#include <string>

#include <google/protobuf/repeated_ptr_field.h>

#include "control/api/control.pb.h"
#include "control/ctl/style.h"

namespace ballast::control {

// Most frequent first; `all` shows what has not happened as well.
std::string render_drops(const api::DropsAnswer& answer, bool all, Style style);

std::string render_checks(const api::ChecksAnswer& answer, Style style);

// One line each: "+ what: to", "- what: from", "~ what: from -> to".
std::string render_changes(const google::protobuf::RepeatedPtrField<api::Change>& changes,
                           Style style);

std::string render_reload(const api::ReloadAnswer& answer, Style style);

std::string render_override(const api::SetServerOverrideAnswer& answer);

}  // namespace ballast::control
