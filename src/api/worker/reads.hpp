// What workers ask of the server: checkpoints, memory items, operations on threads.
#pragma once

#include <memory>
#include <string>

#include "api/worker/wire.hpp"
#include "app/app.hpp"

namespace dg::api::worker {

// True for the types that answer() knows.
bool is_question(std::string_view type);

// Answers one request of the session. The message is the whole reply.
Task<net::WsMessage> answer(app::App& app, std::shared_ptr<const Incoming> in, std::string session_id);

}  // namespace dg::api::worker
