// What the system says of this process, under the names that Prometheus's own libraries use.
#pragma once

#include "base/metrics.hpp"

namespace dg {

// Time of the processor, memory, open files and the time of the start, read at each render.
void show_process(Metrics& metrics);

}  // namespace dg
