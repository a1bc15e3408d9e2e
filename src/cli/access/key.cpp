// `duragraph key create`, `list` and `revoke`, on the database of `duragraph serve`.
#include <fmt/format.h>

#include <csignal>
#include <functional>
#include <memory>

#include "auth/api_key.hpp"
#include "base/json.hpp"
#include "base/system_world.hpp"
#include "cli/access/commands.hpp"
#include "cli/access/holder.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/client/output.hpp"
#include "cli/config/commands.hpp"
#include "cli/data/postgres_target.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/postgres/schema_state.hpp"

namespace dg::cli {
namespace {

namespace postgres = store::postgres;

struct KeyOptions {
  SettingSources sources;
  Holder holder;
  std::string name;
  std::string id;
  bool json = false;
};

// What a command does with the store.
using KeyWork = Task<Status> (*)(SystemWorld&, store::Store&, const KeyOptions&, Output&);

// A schema that this program does not serve is not written to.
Task<Status> check_key_schema(SystemWorld& world, const PostgresTarget& target) {
  auto connection = co_await postgres::Connection::open(*world.timers, {.conninfo = target.conninfo});
  if (!connection) co_return fail(connection.error().to_command_error());
  const auto state = co_await postgres::schema_state(**connection);
  if (!state) co_return fail(state.error().to_command_error());
  if (state->is_served()) co_return Status{};
  co_return fail(Errc::conflict, state->message);
}

Task<void> with_key_store(SystemWorld& world, const PostgresTarget& target, const KeyOptions& options,
                          Output& out, KeyWork work, ExitCode& exit_code) {
  auto done = co_await check_key_schema(world, target);
  if (done) {
    const auto store =
        store::make_postgres_store(world.env, {.connect = {.conninfo = target.conninfo}, .readers = 1});
    done = co_await work(world, *store, options, out);
  }
  if (done) {
    exit_code = ExitCode::ok;
    co_return;
  }
  const auto error = explain(done.error(), target.name, "Use the role that `duragraph serve` uses");
  out.error(error.message);
  exit_code = exit_code_for(error.code);
}

int run_with_key_store(const KeyOptions& options, KeyWork work) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves early does not change what is done
  Output out(options.json);
  const auto target = find_postgres(options.sources, out);
  if (!target) {
    out.error(target.error().message);
    return static_cast<int>(exit_code_for(target.error().code));
  }
  SystemWorld world;
  auto exit_code = ExitCode::failed;
  spawn(world.io.get_executor(), "key", with_key_store(world, *target, options, out, work, exit_code));
  world.io.run();
  return static_cast<int>(exit_code);
}

Task<Status> commit_change(store::Store& store, WallTime at, store::Change change) {
  store::Commit commit{.at = at};
  commit.changes.push_back(std::move(change));
  const auto done = co_await store.commit(std::move(commit));
  co_return done ? Status{} : fail(done.error());
}

Task<Status> create_key(SystemWorld& world, store::Store& store, const KeyOptions& options, Output& out) {
  const auto text = auth::make_api_key(*world.random);
  store::ApiKey key;
  key.id = text.id;
  key.secret_hash = auth::hash_of_secret(text.secret);
  key.user = options.holder.user;
  key.role = options.holder.role;
  key.name = options.name;
  key.created_at = world.clock->now();
  if (const auto lifetime = options.holder.lifetime()) key.expires_at = key.created_at + *lifetime;
  if (auto done = co_await commit_change(store, key.created_at, store::AddApiKey{key}); !done) co_return done;
  if (!out.json()) {
    out.line(to_string(text));
    out.note("It is shown this once: what is stored cannot be turned back into it.");
    co_return Status{};
  }
  json::Writer json;
  json.begin_object()
      .key("key")
      .string(to_string(text))
      .key("id")
      .string(key.id)
      .key("user")
      .string(key.user);
  json.key("role").string(key.role).end_object();
  out.line(json.take());
  co_return Status{};
}

std::string_view key_state(const store::ApiKey& key, WallTime now) {
  if (key.revoked_at) return "revoked";
  return key.expires_at && *key.expires_at <= now ? "expired" : "good";
}

std::string list_as_json(const std::vector<store::ApiKey>& keys, WallTime now) {
  json::Writer json;
  const auto time = [&json](std::string_view name, const std::optional<WallTime>& value) {
    json.key(name).optional_string(value ? std::optional(to_rfc3339(*value)) : std::nullopt);
  };
  json.begin_array();
  for (const auto& key : keys) {
    json.begin_object().key("id").string(key.id).key("user").string(key.user).key("role").string(key.role);
    json.key("name").string(key.name).key("state").string(key_state(key, now));
    time("created_at", key.created_at);
    time("expires_at", key.expires_at);
    time("last_used_at", key.last_used_at);
    time("revoked_at", key.revoked_at);
    json.end_object();
  }
  return json.end_array().take();
}

std::string list_as_table(const std::vector<store::ApiKey>& keys, WallTime now) {
  const auto time = [](const std::optional<WallTime>& value) {
    constexpr auto minutes = std::string_view("2026-01-31T12:00").size();
    return value ? to_rfc3339(*value).substr(0, minutes) + "Z" : std::string("-");
  };
  std::vector<std::vector<std::string>> rows{
      {"ID", "USER", "ROLE", "STATE", "CREATED", "EXPIRES", "LAST USED", "NAME"}};
  for (const auto& key : keys)
    rows.push_back({key.id, key.user, key.role, std::string(key_state(key, now)), time(key.created_at),
                    time(key.expires_at), time(key.last_used_at), key.name});
  return format_table(rows);
}

Task<Status> list_keys(SystemWorld& world, store::Store& store, const KeyOptions&, Output& out) {
  const auto keys = co_await store.api_keys();
  if (!keys) co_return fail(keys.error());
  const auto now = world.clock->now();
  if (out.json()) {
    out.line(list_as_json(*keys, now));
  } else {
    out.data(out.printable(list_as_table(*keys, now)));
  }
  co_return Status{};
}

Task<Status> revoke_key(SystemWorld& world, store::Store& store, const KeyOptions& options, Output& out) {
  const auto found = co_await store.api_key(options.id);
  if (!found) co_return fail(found.error());
  if (!*found)
    co_return fail(
        Errc::not_found,
        fmt::format("there is no key \"{}\"; `duragraph key list` shows those there are", options.id));
  if (auto done = co_await commit_change(store, world.clock->now(), store::RevokeApiKey{options.id}); !done)
    co_return done;
  if (out.json()) {
    out.line(json::Writer().begin_object().key("revoked").string(options.id).end_object().take());
  } else {
    out.line(fmt::format("revoked {}", options.id));
    out.note("Servers let it through for 5 seconds more at most.");
  }
  co_return Status{};
}

// A whole key is taken for its id, so that whoever has found one can end it.
std::string key_id_of(const std::string& given) {
  const auto key = auth::parse_api_key(given);
  return key ? key->id : given;
}

CLI::App& add_key_command(CLI::App& parent, const char* name, const char* what,
                          const std::shared_ptr<KeyOptions>& options, KeyWork work, int& exit_code) {
  auto* const command = parent.add_subcommand(name, what);
  add_database_flags(*command, options->sources);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "The database is the one that `duragraph serve` would use with the same flags, environment and file of "
      "settings.");
  command->callback([options, work, &exit_code] {
    options->id = key_id_of(options->id);
    exit_code = run_with_key_store(*options, work);
  });
  return *command;
}

}  // namespace

void add_key_commands(CLI::App& app, int& exit_code) {
  auto* const key = app.add_subcommand("key", "API keys for clients and workers");
  key->require_subcommand(1);
  const auto options = [] { return std::make_shared<KeyOptions>(); };
  const auto made = options();
  auto& creating =
      add_key_command(*key, "create", "Make a key and print it, once", made, &create_key, exit_code);
  add_holder(creating, made->holder,
             "How long it is good for: 90s, 30m, 12h, 7d; for ever where it is left out");
  creating.add_option("--name", made->name, "What it is for, for people");
  add_key_command(*key, "list", "List the keys, without their secrets", options(), &list_keys, exit_code);
  const auto ended = options();
  add_key_command(*key, "revoke", "End a key", ended, &revoke_key, exit_code)
      .add_option("id", ended->id, "Its id, or the whole key")
      ->required();
}

}  // namespace dg::cli
