// How an event is told to the outside: docs/events.md.
#pragma once

#include <string>

#include "bus/event_stream.hpp"
#include "store/outbox.hpp"

namespace dg::app {

// `scope` names the database. Of an event whose data would be larger than `max_data` the payload is left out.
// A replay is told again because the stream had lost it.
bus::StreamEvent event_message(const store::PublishedEvent& event, const std::string& scope,
                               std::size_t max_data, bool replay);

}  // namespace dg::app
