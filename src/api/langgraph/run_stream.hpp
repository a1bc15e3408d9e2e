// A run's frames as server-sent events, and waiting for its result.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/langgraph/frame_text.hpp"
#include "app/app.hpp"
#include "net/http.hpp"

namespace dg::api::langgraph {

struct StreamOrder {
  std::string run_id;
  std::int64_t from = 0;           // the number of the first frame
  std::vector<std::string> modes;  // empty: all that the run has
  bool cancel_on_disconnect = false;
};

// invalid_argument when a reader is to begin behind a frame that the run does not have: a frame is durable
// before anybody is told its number. Where the frames are deleted any place may be asked for.
Task<Status> check_place(app::App& app, const domain::Run& run, std::int64_t from);

std::string path_of(const domain::Run& run);

// Clients learn the run's id from Content-Location, which is `content`, and come back to the run's
// path with `resume`, which is in Location.
void add_locations(net::Response& response, const domain::Run& run, std::string content,
                   std::string_view resume);

// The response that streams the run until it is not active. The head goes out at once.
net::Response stream_response(app::App& app, StreamOrder order);

// The response that waits for the run and gives its result, with white space in between to keep the
// connection alive.
net::Response join_response(app::App& app, std::string run_id, bool cancel_on_disconnect);

}  // namespace dg::api::langgraph
