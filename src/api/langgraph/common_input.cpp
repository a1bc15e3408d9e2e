#include "api/langgraph/common_input.hpp"

#include <algorithm>
#include <array>

namespace dg::api::langgraph {
namespace {

using json::View;

constexpr std::array config_fields = {"configurable",    "metadata", "tags",  "recursion_limit",
                                      "max_concurrency", "run_name", "run_id"};

void refuse_unknown(Body& config) {
  for (const auto& [name, value] : config.view().members()) {
    if (value.is_null() || std::ranges::find(config_fields, name) != config_fields.end()) continue;
    config.wrong(name, name == "callbacks"
                           ? "is code, which cannot be sent to a server"
                           : "is no field of a config; what the graph reads belongs into configurable");
  }
}

}  // namespace

store::Page read_page(Body& body) {
  return {body.integer("limit", 10, 1, 1000), body.integer("offset", 0, 0, INT64_MAX)};
}

store::Page read_page(Query& query) {
  return {query.integer("limit", 10, 1, 1000), query.integer("offset", 0, 0, INT64_MAX)};
}

std::string read_config(Body& body) {
  auto config = body.object("config");
  Body inner(View(config), "config");
  inner.object("configurable");
  inner.object("metadata");
  inner.list("tags");
  inner.integer("recursion_limit", 25, 1, 1'000'000);
  inner.integer("max_concurrency", 1, 1, 1'000'000);
  inner.optional_text("run_name");
  inner.uuid("run_id");
  refuse_unknown(inner);
  body.take_errors(inner);
  return config;
}

std::optional<std::string> read_checkpoint_id(Body& body) {
  const auto given = body.view()["checkpoint_id"];
  if (given.is_string() && given.string().empty()) return "";
  return body.uuid("checkpoint_id");
}

CheckpointPlace read_checkpoint(Body& body, std::string_view thread_id) {
  body.object("checkpoint");
  const auto given = body.view()["checkpoint"];
  Body inner(given.is_object() ? given : View("{}"), "checkpoint");
  CheckpointPlace place;
  place.id = read_checkpoint_id(inner);
  auto older = read_checkpoint_id(body);
  if (!place.id) place.id = std::move(older);
  place.ns = inner.optional_text("checkpoint_ns");
  place.map = inner.object("checkpoint_map", "null");
  const auto thread = inner.optional_text("thread_id");
  if (thread && canonical_id(*thread) != thread_id) inner.wrong("thread_id", "is not the request's thread");
  body.take_errors(inner);
  return place;
}

}  // namespace dg::api::langgraph
