// The frame of a step, as the world is when it is made.
#pragma once

#include "tests/model/dataplane_run.h"
#include "tests/model/model.h"
#include "tests/model/step.h"

namespace ballast::model {

struct MadeFrame {
  Bytes bytes;
  PortIndex port{};
};

// `model` knows which server a flow has.
[[nodiscard]] MadeFrame make_frame(const Step& step, const Scene& scene, const Model& model);

}  // namespace ballast::model
