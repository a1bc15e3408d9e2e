#include "app/assistants.hpp"

#include <algorithm>

#include "app/changes.hpp"
#include "app/run_config.hpp"
#include "base/json.hpp"

namespace dg::app {
namespace {

void append_assistant(store::Commit& commit, domain::Assistant& assistant,
                      const domain::AssistantEvent& event) {
  commit.appends.push_back(
      {domain::AggregateType::assistant, assistant.id, assistant.version, "", {new_event(event)}});
  assistant = domain::evolve(std::move(assistant), event, commit.at.value());
}

domain::AssistantContent patched(domain::AssistantContent content, const AssistantPatch& patch) {
  if (patch.graph_id) content.graph_id = *patch.graph_id;
  if (patch.name) content.name = *patch.name;
  if (patch.description) content.description = *patch.description;
  if (patch.config) content.config = *patch.config;
  if (patch.context) content.context = *patch.context;
  if (patch.metadata)
    content.metadata = json::merge(json::View(content.metadata), json::View(*patch.metadata));
  return content;
}

constexpr std::int64_t versions_max = 1000;  // looked through for one that was declared

AssistantDraft draft_of(std::string graph_id, std::string description, std::string config,
                        std::string context) {
  AssistantDraft draft;
  draft.id = default_assistant_id(graph_id);
  draft.name = graph_id;
  draft.graph_id = std::move(graph_id);
  draft.config = std::move(config);
  draft.context = std::move(context);
  if (!description.empty()) draft.description = std::move(description);
  draft.metadata = R"({"created_by":"system"})";
  draft.keep_existing = true;
  return draft;
}

bool is_visible(const Caller& caller, const domain::Assistant& assistant) {
  return !assistant.owner || caller.may_see(assistant.owner);
}

Status check_changeable(const Caller& caller, const domain::Assistant& assistant) {
  if (caller.may_see(assistant.owner)) return {};
  return fail(Errc::forbidden,
              "this assistant is for all users, and only the role admin changes it; create one of "
              "your own for its graph");
}

// conflict where the id is that of an assistant which a graph has by itself.
Status check_deletable(const Workers& workers, const std::string& id) {
  for (const auto& graph : workers.graphs())
    if (default_assistant_id(graph.graph_id) == id)
      return fail(Errc::conflict, "the graph \"" + graph.graph_id +
                                      "\" has this assistant by itself, as every graph has exactly one; it "
                                      "can be changed, and deleted once its graph is gone");
  return {};
}

}  // namespace

std::string default_assistant_id(std::string_view graph_id) {
  return make_uuid5(domain::assistant_namespace, graph_id);
}

std::string assistant_id_of(std::string_view reference) {
  return is_uuid(reference) ? std::string(reference) : default_assistant_id(reference);
}

Assistants::Assistants(Context& context, Workers& workers)
    : context_(context), workers_(workers), lines_(context.env.timers) {}

Task<Status> Assistants::declare(std::string graph_id, std::string description, std::string config,
                                 std::string context) {
  const auto id = default_assistant_id(graph_id);
  const auto existing = co_await context_.store.assistant(id);
  if (!existing) co_return fail(existing.error());
  if (!*existing) {
    const auto made = co_await create(the_server, draft_of(graph_id, description, config, context));
    co_return made ? Status{} : fail(made.error());
  }
  const auto versions = co_await context_.store.assistant_versions(id, "{}", {versions_max, 0});
  if (!versions) co_return fail(versions.error());
  const bool declared_before = std::ranges::any_of(*versions, [&](const store::AssistantVersion& version) {
    return json::equal(json::View(version.content.config), json::View(config)) &&
           json::equal(json::View(version.content.context), json::View(context)) &&
           version.content.description.value_or("") == description;
  });
  if (declared_before) co_return Status{};
  AssistantPatch patch;
  patch.config = std::move(config);
  patch.context = std::move(context);
  if (!description.empty()) patch.description = std::move(description);
  const auto changed = co_await change(the_server, id, &patch, 0);
  co_return changed ? Status{} : fail(changed.error());
}

Task<Status> Assistants::ensure_default(std::string graph_id, std::string description) {
  const auto existing = co_await context_.store.assistant(default_assistant_id(graph_id));
  if (!existing) co_return fail(existing.error());
  if (*existing) co_return Status{};
  const auto made =
      co_await create(the_server, draft_of(std::move(graph_id), std::move(description), "{}", "{}"));
  co_return made ? Status{} : fail(made.error());
}

Task<Result<domain::Assistant>> Assistants::create(Caller caller, AssistantDraft draft) {
  if (!workers_.graph(draft.graph_id)) co_return fail(workers_.unknown_graph(draft.graph_id));
  domain::Assistant assistant;
  assistant.id = draft.id.value_or(make_uuid7(context_.env));
  auto commit = commit_for(caller, context_.env.clock.now());
  const domain::AssistantContent content{draft.graph_id, draft.name,    draft.description,
                                         draft.config,   draft.context, draft.metadata};
  append_assistant(commit, assistant, domain::AssistantCreated{content, caller.user});
  commit.changes.emplace_back(store::PutAssistant{assistant, true});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done && done.error().code == Errc::conflict) {
    auto existing = co_await get(the_server, assistant.id);
    if (existing && draft.keep_existing && is_visible(caller, *existing)) co_return existing;
    co_return fail(Errc::conflict,
                   existing ? "Assistant already exists"
                            : "the assistant existed and was deleted; its id cannot be used again");
  }
  if (!done) co_return fail(done.error());
  co_return assistant;
}

Task<Result<domain::Assistant>> Assistants::get(Caller caller, std::string reference) {
  auto assistant = co_await context_.store.assistant(assistant_id_of(reference));
  if (!assistant) co_return fail(assistant.error());
  if (*assistant && is_visible(caller, **assistant)) co_return std::move(**assistant);
  // A graph has an assistant by itself, also where it was deleted while the graph was away.
  if (!is_uuid(reference) && workers_.graph(reference)) {
    if (auto made = co_await ensure_default(reference, ""); !made) co_return fail(made.error());
    assistant = co_await context_.store.assistant(assistant_id_of(reference));
    if (assistant && *assistant && is_visible(caller, **assistant)) co_return std::move(**assistant);
  }
  co_return fail(Errc::not_found, "Assistant not found: No assistant found for \"" + reference +
                                      "\". Make sure the assistant ID is for a valid assistant or a valid " +
                                      "graph ID. Graphs here: " + workers_.graph_names() + ".");
}

Task<Result<store::Found<domain::Assistant>>> Assistants::search(Caller caller, store::AssistantFilter filter,
                                                                 store::Page page) {
  filter.owner = caller.only_owner();
  co_return co_await context_.store.assistants(std::move(filter), page);
}

Task<Result<domain::Assistant>> Assistants::patch(Caller caller, std::string reference,
                                                  AssistantPatch patch) {
  if (patch.graph_id && !workers_.graph(*patch.graph_id))
    co_return fail(workers_.unknown_graph(*patch.graph_id));
  co_return co_await change(caller, reference, &patch, 0);
}

Task<Result<domain::Assistant>> Assistants::choose_version(Caller caller, std::string reference,
                                                           std::int64_t number) {
  co_return co_await change(caller, reference, nullptr, number);
}

Task<Result<domain::Assistant>> Assistants::change(Caller caller, std::string reference,
                                                   const AssistantPatch* patch, std::int64_t number) {
  const auto turn = co_await lines_.enter(assistant_id_of(reference));
  co_return co_await until_decided([&] { return try_change(caller, reference, patch, number); });
}

Task<Result<domain::Assistant>> Assistants::try_change(Caller caller, std::string reference,
                                                       const AssistantPatch* patch, std::int64_t number) {
  auto assistant = co_await get(caller, reference);
  if (!assistant) co_return assistant;
  if (auto may = check_changeable(caller, *assistant); !may) co_return fail(may.error());
  auto commit = commit_for(caller, context_.env.clock.now());
  if (patch != nullptr) {
    append_assistant(
        commit, *assistant,
        domain::AssistantUpdated{patched(assistant->content, *patch), assistant->newest_number + 1});
  } else {
    const auto version = co_await context_.store.assistant_version(assistant->id, number);
    if (!version) co_return fail(version.error());
    if (!*version) co_return fail(Errc::not_found, "the assistant has no version " + std::to_string(number));
    append_assistant(commit, *assistant, domain::AssistantVersionChosen{(*version)->content, number});
  }
  commit.changes.emplace_back(store::PutAssistant{*assistant, patch != nullptr});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return assistant;
}

Task<Status> Assistants::remove(Caller caller, std::string reference, bool delete_threads) {
  auto assistant = co_await get(caller, reference);
  if (!assistant) co_return fail(assistant.error());
  if (auto may = check_changeable(caller, *assistant); !may) co_return may;
  const std::string id = assistant->id;
  if (auto may = check_deletable(workers_, id); !may) co_return may;
  auto commit = commit_for(caller, context_.env.clock.now());
  append_assistant(commit, *assistant, domain::AssistantDeleted{});
  commit.changes.emplace_back(store::EraseAssistant{id});
  if (delete_threads) {
    store::ThreadFilter filter{.temporary = true};
    filter.metadata = json::Writer().begin_object().key("assistant_id").string(id).end_object().take();
    filter.owner = caller.only_owner();
    auto threads = co_await context_.store.threads(std::move(filter), {100000, 0});
    if (!threads) co_return fail(threads.error());
    for (auto& row : threads->rows) {
      append_thread(commit, row.thread, domain::ThreadDeleted{});
      commit.changes.emplace_back(store::EraseThread{row.thread.id});
    }
  }
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return Status{};
}

Task<Result<std::vector<store::AssistantVersion>>> Assistants::versions(Caller caller, std::string reference,
                                                                        std::string metadata,
                                                                        store::Page page) {
  const auto assistant = co_await get(caller, reference);
  if (!assistant) co_return fail(assistant.error());
  co_return co_await context_.store.assistant_versions(assistant->id, std::move(metadata), page);
}

Task<Result<std::string>> Assistants::describe(Caller caller, std::string reference, std::string method,
                                               std::string extra) {
  const auto assistant = co_await get(caller, reference);
  if (!assistant) co_return fail(assistant.error());
  const auto params = json::Writer()
                          .begin_object()
                          .key("graph_id")
                          .string(assistant->content.graph_id)
                          .key("config")
                          .raw(config_for(caller, json::View(assistant->content.config), {}))
                          .end_object()
                          .take();
  co_return co_await workers_.request(assistant->content.graph_id, std::move(method),
                                      json::merge(json::View(params), json::View(extra)),
                                      context_.env.timers.now() + context_.settings.worker_wait);
}

}  // namespace dg::app
