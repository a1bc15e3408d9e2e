// Assistants and their versions; what their graphs look like is asked of a worker.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/caller.hpp"
#include "app/context.hpp"
#include "app/lines.hpp"
#include "app/workers.hpp"

namespace dg::app {

struct AssistantDraft {
  std::optional<std::string> id;
  std::string graph_id;
  std::string name = "Untitled";
  std::optional<std::string> description;
  std::string config = "{}";
  std::string context = "{}";
  std::string metadata = "{}";
  bool keep_existing = false;
};

// What is absent stays as it is; metadata is merged.
struct AssistantPatch {
  std::optional<std::string> graph_id;
  std::optional<std::string> name;
  std::optional<std::string> description;
  std::optional<std::string> config;
  std::optional<std::string> context;
  std::optional<std::string> metadata;
};

class Assistants {
 public:
  Assistants(Context& context, Workers& workers);

  // The assistant that every graph has by itself, as langgraph.json has it now: `config` and `context`
  // are what LANGGRAPH_CONFIG gives it, an empty `description` is none. What it was never before becomes
  // a new version; what it was once is left as people changed it since.
  Task<Status> declare(std::string graph_id, std::string description, std::string config,
                       std::string context);
  // The same for a graph that a worker brings. Nothing happens when it exists.
  Task<Status> ensure_default(std::string graph_id, std::string description);

  // not_found: unknown graph, the message lists those that exist. conflict: the id exists.
  Task<Result<domain::Assistant>> create(Caller caller, AssistantDraft draft);
  // By id or by the name of a graph. not_found lists the graphs that exist. What is nobody's is for all to
  // see, and only those who see everything change it: forbidden for others.
  Task<Result<domain::Assistant>> get(Caller caller, std::string reference);
  Task<Result<store::Found<domain::Assistant>>> search(Caller caller, store::AssistantFilter filter,
                                                       store::Page page);
  Task<Result<domain::Assistant>> patch(Caller caller, std::string reference, AssistantPatch patch);
  // `delete_threads`: also the caller's threads whose metadata names it. conflict: a graph has it by itself.
  Task<Status> remove(Caller caller, std::string reference, bool delete_threads);
  Task<Result<std::vector<store::AssistantVersion>>> versions(Caller caller, std::string reference,
                                                              std::string metadata, store::Page page);
  Task<Result<domain::Assistant>> choose_version(Caller caller, std::string reference, std::int64_t number);

  // Asks a worker: `method` is schemas, graph or subgraphs; `extra` is spliced into the params. JSON.
  Task<Result<std::string>> describe(Caller caller, std::string reference, std::string method,
                                     std::string extra);

 private:
  Task<Result<domain::Assistant>> try_change(Caller caller, std::string reference,
                                             const AssistantPatch* patch, std::int64_t number);
  Task<Result<domain::Assistant>> change(Caller caller, std::string reference, const AssistantPatch* patch,
                                         std::int64_t number);
  Context& context_;
  Workers& workers_;
  Lines lines_;  // of assistants
};

// The id of the assistant that a graph has by itself.
std::string default_assistant_id(std::string_view graph_id);
// Turns a reference (an id or a graph's name) into an id.
std::string assistant_id_of(std::string_view reference);

}  // namespace dg::app
