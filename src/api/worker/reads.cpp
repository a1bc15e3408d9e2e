#include "api/worker/reads.hpp"

#include <algorithm>
#include <array>

#include "api/langgraph/shapes.hpp"
#include "app/items.hpp"

namespace dg::api::worker {
namespace {

using json::View;
using json::Writer;

// A result: the text of a JSON value, and the blobs that it names.
struct Answer {
  std::string json = "{}";
  Blobs blobs;
};

// Code inside a run or operation may only see its own thread.
Task<Status> check_owner(app::App& app, View in, std::string thread_id) {
  const auto owner = in["owner"].string();
  if (owner.empty()) co_return Status{};
  const auto lease = co_await app.context.store.lease(owner);
  if (!lease) co_return fail(lease.error());
  if (!*lease || (*lease)->epoch != in["epoch"].integer())
    co_return fail(Errc::superseded, "the run has another owner or is over");
  if ((*lease)->thread_id != thread_id)
    co_return fail(Errc::not_found, "a run sees its own thread only, not " + thread_id);
  co_return Status{};
}

// The same for a run that it names.
Task<Status> check_run(app::App& app, View in, std::string run_id) {
  if (in["owner"].string().empty()) co_return Status{};
  const auto run = co_await app.runs.get(app::the_server, std::move(run_id));
  if (!run) co_return fail(run.error());
  co_return co_await check_owner(app, in, run->thread_id);
}

Task<Result<Answer>> get_tuple(app::App& app, View in) {
  const auto thread_id = in["thread_id"].string();
  if (auto allowed = co_await check_owner(app, in, thread_id); !allowed) co_return fail(allowed.error());
  const auto tuple =
      co_await app.context.store.checkpoint(thread_id, in["ns"].string(), in["checkpoint_id"].string());
  if (!tuple) co_return fail(tuple.error());
  Answer out{"null", {}};
  if (*tuple) {
    Writer json;
    write_tuple(json, out.blobs, **tuple);
    out.json = json.take();
  }
  co_return out;
}

Task<Result<Answer>> list(app::App& app, View in) {
  store::CheckpointFilter filter;
  if (in["thread_id"].is_string()) filter.thread_id = in["thread_id"].string();
  if (in["ns"].is_string()) filter.ns = in["ns"].string();
  if (auto allowed = co_await check_owner(app, in, filter.thread_id.value_or("")); !allowed)
    co_return fail(allowed.error());
  filter.checkpoint_id = in["checkpoint_id"].string();
  filter.before = in["before"].string();
  if (in["filter"].is_object()) filter.metadata = in["filter"].raw();
  filter.limit = in["limit"].integer().value_or(0);
  const auto tuples = co_await app.context.store.checkpoints(std::move(filter));
  if (!tuples) co_return fail(tuples.error());
  Answer out;
  Writer json;
  json.begin_object().key("tuples").begin_array();
  for (const auto& tuple : *tuples) write_tuple(json, out.blobs, tuple);
  json.end_array().end_object();
  out.json = json.take();
  co_return out;
}

Task<Result<Answer>> delta_history(app::App& app, View in) {
  const auto thread_id = in["thread_id"].string();
  if (auto allowed = co_await check_owner(app, in, thread_id); !allowed) co_return fail(allowed.error());
  const auto histories = co_await app.context.store.channel_history(
      thread_id, in["ns"].string(), in["checkpoint_id"].string(), read_labels(in["channels"]));
  if (!histories) co_return fail(histories.error());
  Answer out;
  Writer json;
  json.begin_object();
  for (const auto& history : *histories) {
    json.key(history.channel).begin_object().key("writes").begin_array();
    for (const auto& stored : history.writes) {
      json.begin_object().key("task_id").string(stored.task_id).key("channel").string(stored.write.channel);
      out.blobs.write(json, stored.write.value);
      json.end_object();
    }
    json.end_array();
    if (history.seed) {
      json.key("seed").begin_object();
      out.blobs.write(json, *history.seed);
      json.end_object();
    }
    json.end_object();
  }
  json.end_object();
  out.json = json.take();
  co_return out;
}

Task<Status> read_item_op(app::App& app, View op, Writer& json) {
  const auto kind = op["op"].string();
  if (kind == "get") {
    const auto item = co_await app.context.store.item(read_labels(op["namespace"]), op["key"].string());
    if (!item) co_return fail(item.error());
    if (*item) {
      langgraph::write_item(json, **item);
    } else {
      json.null();
    }
  } else if (kind == "search") {
    store::ItemSearch search;
    search.prefix = read_labels(op["namespace_prefix"]);
    if (op["filter"].is_object()) search.filter = op["filter"].raw();
    search.limit = op["limit"].integer().value_or(10);
    search.offset = op["offset"].integer().value_or(0);
    const auto items = co_await app.context.store.items(std::move(search));
    if (!items) co_return fail(items.error());
    json.begin_array();
    for (const auto& item : *items) langgraph::write_item(json, item);
    json.end_array();
  } else if (kind == "namespaces") {
    store::NamespaceSearch search;
    search.prefix = read_labels(op["prefix"]);
    search.suffix = read_labels(op["suffix"]);
    search.max_depth = op["max_depth"].integer().value_or(0);
    search.limit = op["limit"].integer().value_or(100);
    search.offset = op["offset"].integer().value_or(0);
    const auto found = co_await app.context.store.namespaces(std::move(search));
    if (!found) co_return fail(found.error());
    json.begin_array();
    for (const auto& labels : *found) {
      json.begin_array();
      for (const auto& label : labels) json.string(label);
      json.end_array();
    }
    json.end_array();
  } else {
    co_return fail(Errc::invalid_argument, "no read of items is named " + kind);
  }
  co_return Status{};
}

Task<Result<Answer>> items_read(app::App& app, View in) {
  Writer json;
  json.begin_array();
  for (const auto op : in["ops"].elements())
    if (auto done = co_await read_item_op(app, op, json); !done) co_return fail(done.error());
  json.end_array();
  co_return Answer{json.take(), {}};
}

// Memory items written by code outside a run.
Task<Result<Answer>> items_write(app::App& app, View in) {
  store::Commit commit;
  for (auto& put : read_item_puts(in))
    commit.changes.push_back(app::item_change(std::move(put.ns), std::move(put.key), std::move(put.value)));
  const auto done = co_await app.context.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return Answer{};
}

Task<Result<Answer>> begin(app::App& app, View in, std::string session_id) {
  const auto lease = co_await app.threads.begin(in["thread_id"].string(), session_id);
  if (!lease) co_return fail(lease.error());
  co_return Answer{Writer()
                       .begin_object()
                       .key("operation")
                       .string(lease->owner)
                       .key("epoch")
                       .integer(lease->epoch)
                       .end_object()
                       .take(),
                   {}};
}

Task<Result<Answer>> end(app::App& app, View in) {
  const auto operation = in["operation"].string();
  const auto settled =
      co_await app.owners.settled(operation, in["epoch"].integer().value_or(0), in["n"].integer().value_or(0),
                                  app.context.env.timers.now() + app.context.settings.operation);
  if (!settled) co_return fail(settled.error());
  if (auto done = co_await app.threads.end(operation); !done) co_return fail(done.error());
  co_return Answer{};
}

// Nobody else may own a thread whose checkpoints are removed or written.
Task<Status> check_free(app::App& app, View in, std::string thread_id) {
  const auto head = co_await app.context.store.thread_head(thread_id);
  if (!head) co_return fail(head.error());
  if (head->lease && head->lease->owner != in["owner"].string())
    co_return fail(Errc::busy, "Thread is busy: " + head->lease->owner + " owns it");
  co_return Status{};
}

Task<Result<Answer>> manage(app::App& app, View in, std::string type) {
  store::Commit commit;
  std::vector<std::string> written;
  if (type == "delete_for_runs") {
    for (const auto& id : read_labels(in["run_ids"])) {
      if (auto allowed = co_await check_run(app, in, id); !allowed) co_return fail(allowed.error());
      commit.changes.emplace_back(store::EraseCheckpointsOfRun{id});
    }
  } else if (type == "copy_thread") {
    const auto source = in["source"].string();
    if (auto allowed = co_await check_owner(app, in, source); !allowed) co_return fail(allowed.error());
    written.push_back(in["target"].string());
    commit.changes.emplace_back(store::CopyCheckpoints{source, written.front()});
  } else {
    written = read_labels(in["thread_ids"]);
    const bool keep_latest = type == "prune" && in["strategy"].string() != "delete";
    for (const auto& id : written) commit.changes.emplace_back(store::EraseCheckpoints{id, keep_latest});
  }
  for (const auto& id : written) {
    if (auto allowed = co_await check_owner(app, in, id); !allowed) co_return fail(allowed.error());
    if (auto available = co_await check_free(app, in, id); !available) co_return fail(available.error());
  }
  const auto done = co_await app.context.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return Answer{};
}

constexpr std::array questions = {"get_tuple",  "list", "delta_history", "items_read", "items",
                                  "begin",      "end",  "delete_thread", "prune",      "delete_for_runs",
                                  "copy_thread"};

Task<Result<Answer>> dispatch(app::App& app, View in, std::string session_id) {
  const auto type = in["type"].string();
  if (type == "get_tuple") co_return co_await get_tuple(app, in);
  if (type == "list") co_return co_await list(app, in);
  if (type == "delta_history") co_return co_await delta_history(app, in);
  if (type == "items_read") co_return co_await items_read(app, in);
  if (type == "items") co_return co_await items_write(app, in);
  if (type == "begin") co_return co_await begin(app, in, session_id);
  if (type == "end") co_return co_await end(app, in);
  co_return co_await manage(app, in, type);
}

}  // namespace

bool is_question(std::string_view type) {
  return std::ranges::find(questions, type) != questions.end();
}

Task<net::WsMessage> answer(app::App& app, std::shared_ptr<const Incoming> in, std::string session_id) {
  const auto result = co_await dispatch(app, in->object, session_id);
  Writer out;
  out.begin_object().key("type").string("reply").key("id").raw(in->object["id"].raw());
  if (result) {
    out.key("result").raw(result->json).end_object();
    co_return result->blobs.message(out.take());
  }
  out.key("error").begin_object().key("code").string(error_code(result.error().code));
  out.key("message").string(result.error().message).end_object().end_object();
  co_return net::WsMessage{false, out.take()};
}

}  // namespace dg::api::worker
