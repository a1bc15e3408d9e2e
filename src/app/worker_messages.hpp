// What instances say to one another about workers that are connected elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/async.hpp"
#include "base/result.hpp"

namespace dg::app {

// A question to a worker, on its way to the instance that it is connected to.
struct Question {
  std::string instance;  // who asks
  std::int64_t id = 0;   // among its questions
  std::string method;
  std::string params = "{}";  // JSON
  Duration patience{};        // how long the answer is waited for
};

struct Reply {
  std::int64_t id = 0;
  Result<std::string> result;  // JSON
  bool lost = false;           // the worker was not reached, or its connection closed before the answer
};

std::string encode(const Question& question);
std::string encode(const Reply& reply);
// Nothing for what cannot be read, as from another release.
std::optional<Question> read_question(std::string_view body);
std::optional<Reply> read_reply(std::string_view body);

}  // namespace dg::app
