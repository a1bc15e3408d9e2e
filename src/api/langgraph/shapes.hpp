// The JSON of LangGraph's API: what its clients read. User JSON is spliced in as it was sent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/app.hpp"
#include "base/json.hpp"
#include "net/http.hpp"

namespace dg::api::langgraph {

// The run states in LangGraph's words: pending, running, success, error, interrupted, timeout.
std::string_view status_word(domain::RunState state);
// The states that one of those words stands for; empty for an unknown word.
std::vector<domain::RunState> states_of(std::string_view word);

void write_assistant(json::Writer& out, const domain::Assistant& assistant);
void write_assistant_version(json::Writer& out, const store::AssistantVersion& version);
void write_thread(json::Writer& out, const store::ThreadRow& row);
void write_run(json::Writer& out, const domain::Run& run);
// A ThreadState of a checkpoint.
void write_state(json::Writer& out, const store::CheckpointState& state);
// The same of a thread's newest checkpoint, as it stands: without what its finished tasks asked, and
// with only the others in `next`.
void write_newest_state(json::Writer& out, const store::CheckpointState& state);
// The state of a thread that has no checkpoint.
void write_empty_state(json::Writer& out, const std::string& thread_id);
void write_item(json::Writer& out, const store::Item& item);
// The same as a search finds it: with a score, which nothing gives here.
void write_found_item(json::Writer& out, const store::Item& item);

template <class T, class Write>
std::string to_text(const T& value, Write write) {
  json::Writer out;
  write(out, value);
  return out.take();
}

// The list, with only the members in `select` where that is not empty.
template <class T, class Write>
std::string list_text(const std::vector<T>& values, Write write, const std::vector<std::string>& select = {});

// Keeps only the named members of an object.
std::string pick(json::View object, const std::vector<std::string>& names);

// Sets X-Pagination-Total and, where there is more, X-Pagination-Next.
void add_pagination(net::Response& response, store::Page page, std::size_t rows, std::int64_t total);

template <class T, class Write>
std::string list_text(const std::vector<T>& values, Write write, const std::vector<std::string>& select) {
  json::Writer out;
  out.begin_array();
  for (const auto& value : values) {
    if (select.empty()) {
      write(out, value);
    } else {
      out.raw(pick(json::View(to_text(value, write)), select));
    }
  }
  out.end_array();
  return out.take();
}

}  // namespace dg::api::langgraph
