#include "cli/server/serve.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "base/back_off.hpp"
#include "base/followed_clock.hpp"
#include "base/log.hpp"
#include "base/system_world.hpp"
#include "cli/client/client.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/config/database.hpp"
#include "cli/config/setting_rules.hpp"
#include "cli/config/tracing.hpp"
#include "cli/server/authentication.hpp"
#include "cli/server/instance.hpp"
#include "cli/server/nats.hpp"
#include "cli/server/until_stopped.hpp"
#include "store/postgres/agreement.hpp"
#include "store/postgres/instance_locks.hpp"
#include "store/postgres/partitions.hpp"
#include "store/postgres/pooler.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/postgres/schema_state.hpp"

namespace dg::cli {
namespace {

using store::postgres::Agreement;
using store::postgres::Connection;
using store::postgres::ConnectOptions;
using store::postgres::Conninfo;
using store::postgres::DroppedPartitions;
using store::postgres::InstanceLocks;
using store::postgres::Outcome;
using store::postgres::SchemaState;

// How long open requests may go on after the signal to stop.
constexpr Duration drain_time = std::chrono::seconds(10);
constexpr BackOff pauses{.first = std::chrono::milliseconds(200), .longest = std::chrono::seconds(2)};
constexpr const char* behind_pooler =
    "the database is reached through a pooler that gives a connection to somebody else after each "
    "transaction, "
    "which breaks the locks that instances hold: let DATABASE_URL (or DB_HOST and DB_PORT) name PostgreSQL "
    "itself, or a pooler in session mode";

// Everything that `serve` runs; it lives until the process ends.
struct Serve : SystemWorld {
  // The database's time of day is that of all instances: when a run is due is decided by any of them.
  FollowedClock shared_clock{*clock, *timers};
  Env env{shared_clock, *random, *timers};
  ConnectOptions database;
  std::unique_ptr<Nats> nats;
  std::unique_ptr<Instance> instance;
  std::unique_ptr<InstanceLocks> locks;
  std::unique_ptr<Agreement> agreement;  // on JWT_SECRET; null: there is none
  Duration stop_delay{};
  bool started = false;
  bool stopping = false;
};

// The pauses of somebody who waits for the database.
class LookAgain {
 public:
  explicit LookAgain(const Serve& serve) : env_(serve.env) {}
  Task<void> later() { return sleep_for(env_.timers, pause_after(++failures_, pauses, env_.random.next())); }

 private:
  const Env& env_;
  int failures_ = 0;
};

int report(const Error& error) {
  fmt::print(stderr, "duragraph: {}\n", error.message);
  return static_cast<int>(exit_code_for(error.code));
}

// What waiting cannot mend ends the process, at once: nothing was served yet.
[[noreturn]] void give_up(const std::string& why) {
  log::error("{}", why);
  std::_Exit(static_cast<int>(ExitCode::failed));
}

// Says why the server cannot serve yet, once for each reason.
void wait_for(Serve& serve, const std::string& reason) {
  auto& health = serve.instance->app().health;
  if (health.why_not_ready() == reason) return;
  log::warn("{}; trying again until it works", reason);
  health.set_not_ready(reason);
}

// Whether the database is there, and with which schema.
Task<Outcome<SchemaState>> look_at_database(Serve& serve) {
  auto connection = co_await Connection::open(*serve.timers, serve.database);
  if (!connection) co_return store::postgres::fail_with(std::move(connection.error()));
  co_return co_await store::postgres::schema_state(**connection);
}

// Nothing where it can be used; what waiting cannot mend ends the process.
Task<std::optional<std::string>> why_not_usable(Serve& serve) {
  const auto pooled = co_await store::postgres::is_behind_pooler(serve.env, serve.database);
  if (pooled && *pooled) give_up(behind_pooler);
  const auto state = co_await look_at_database(serve);
  if (!state && !state.error().is_transient()) give_up(state.error().message);
  if (!state) co_return state.error().message;
  if (!state->is_served()) give_up(state->message);
  if (!pooled) co_return pooled.error().message;
  co_return std::nullopt;
}

Task<void> await_database(Serve& serve) {
  LookAgain look_again(serve);
  while (const auto reason = co_await why_not_usable(serve)) {
    wait_for(serve, fmt::format("the database cannot be used yet: {}", *reason));
    co_await look_again.later();
  }
}

// A token that one instance lets through another one must let through, too. One that has just ended, or was
// cut off, lets go in seconds.
Task<void> await_agreement(Serve& serve) {
  constexpr Duration patience = std::chrono::seconds(5);
  std::optional<SteadyTime> differs_since;
  LookAgain look_again(serve);
  while (true) {
    const auto answer = co_await serve.agreement->enter();
    if (answer && *answer == Agreement::Answer::held) co_return;
    if (!answer && !answer.error().is_transient()) give_up(answer.error().message);
    const bool differs = answer && *answer == Agreement::Answer::differs;
    const auto now = serve.timers->now();
    if (differs && !differs_since) differs_since = now;
    if (differs && now - *differs_since >= patience)
      give_up(
          "JWT_SECRET is not that of the other instances on this database, which would refuse each other's "
          "tokens. Give all the same one; to change it end all of them first");
    co_await look_again.later();
  }
}

Task<void> keep_agreement(Serve& serve) {
  while (true) {
    co_await serve.agreement->keep();
    co_await await_agreement(serve);
  }
}

// By its locks other instances know that this one lives, and a rebuild that the database is in use. Nothing
// where it holds them.
Task<std::optional<std::string>> why_without_locks(Serve& serve) {
  const auto taken = co_await serve.locks->try_take();
  if (!taken) co_return fmt::format("the database cannot be used: {}", taken.error().message);
  if (!*taken) co_return "the database is being rebuilt, or upgraded by more than one schema";
  // Migrations heed the locks, so a schema that can be served now remains one.
  const auto state = co_await look_at_database(serve);
  if (!state) co_return fmt::format("the database cannot be used: {}", state.error().message);
  if (!state->is_served()) give_up(state->message);
  co_return std::nullopt;
}

Task<void> await_locks(Serve& serve) {
  LookAgain look_again(serve);
  while (const auto reason = co_await why_without_locks(serve)) {
    wait_for(serve, *reason);
    co_await look_again.later();
  }
}

// The locks go when their session does, as in a restart of the database.
Task<void> keep_locks(Serve& serve) {
  auto& app = serve.instance->app();
  while (true) {
    const auto why = co_await serve.locks->keep([&app](bool leads) { app.leadership.set(leads); });
    if (serve.stopping) co_return;
    wait_for(serve, fmt::format("the database cannot be used: {}", why.message));
    co_await await_locks(serve);
    if (serve.stopping) co_return;
    if (serve.started) app.health.set_not_ready("");
    log::info("the database is back");
  }
}

constexpr Duration look_for_partitions = std::chrono::hours(6);

// Partitions are made long before they are needed, so a failure is only told.
Task<void> keep_partitions(Serve& serve) {
  while (true) {
    auto connection = co_await Connection::open(*serve.timers, serve.database);
    auto made = connection ? co_await store::postgres::ensure_partitions(**connection)
                           : Outcome<void>(store::postgres::fail_with(std::move(connection.error())));
    if (!made)
      log::warn("the partitions of runs to come cannot be made, which is tried again in 6 hours: {}",
                made.error().message);
    if (connection) connection->reset();
    co_await sleep_for(*serve.timers, look_for_partitions);
  }
}

Task<Outcome<DroppedPartitions>> drop_partitions(Serve& serve) {
  constexpr Duration grace = std::chrono::hours(24);
  auto options = serve.database;
  options.statement_timeout = std::chrono::minutes(30);  // a partition that was emptied is vacuumed
  auto connection = co_await Connection::open(*serve.timers, std::move(options));
  if (!connection) co_return store::postgres::fail_with(std::move(connection.error()));
  co_return co_await store::postgres::drop_empty_partitions(**connection, serve.env.clock.now() - grace);
}

// The leader's part. They are in nobody's way meanwhile.
Task<void> retire_partitions(Serve& serve) {
  constexpr Duration when_busy = std::chrono::minutes(10);
  auto& app = serve.instance->app();
  auto& total = app.metrics.counter("duragraph_partitions_dropped_total",
                                    "Partitions of runs' events and frames that were dropped, old and empty");
  while (true) {
    co_await app.leadership.wait_until_leading();
    const auto dropped = co_await drop_partitions(serve);
    if (!dropped)
      log::warn("old partitions cannot be dropped, which is tried again in 6 hours: {}",
                dropped.error().message);
    for (const auto& name : dropped.value_or(DroppedPartitions{}).names) {
      log::info("dropped {}, which was old and empty", name);
      total.add();
    }
    co_await sleep_for(*serve.timers, dropped && dropped->busy ? when_busy : look_for_partitions);
  }
}

Task<void> begin(Serve& serve) {
  co_await await_database(serve);
  if (serve.agreement) {
    co_await await_agreement(serve);
    spawn(serve.io.get_executor(), "agreement", keep_agreement(serve));
  }
  co_await await_locks(serve);
  spawn(serve.io.get_executor(), "locks", keep_locks(serve));
  LookAgain look_again(serve);
  while (true) {
    const auto started = co_await serve.instance->start();
    if (started) break;
    if (started.error().code == Errc::internal) give_up(started.error().message);
    wait_for(serve, started.error().message);
    co_await look_again.later();
  }
  spawn(serve.io.get_executor(), "partitions", keep_partitions(serve));
  spawn(serve.io.get_executor(), "old partitions", retire_partitions(serve));
  if (serve.stopping) co_return;
  serve.started = true;
  serve.instance->app().health.set_not_ready("");
  log::info("serving at {}", serve.instance->url());
}

// Whoever is sent away before balancers know that this instance is to be avoided would be sent here again.
Task<void> stop(Serve& serve) {
  constexpr const char* reason = "this instance is stopping; ask another one";
  auto& health = serve.instance->app().health;
  health.set_leaving(reason);
  if (serve.started) co_await sleep_for(*serve.timers, serve.stop_delay);
  serve.stopping = true;
  health.set_not_ready(reason);
  serve.instance->send_workers_away();
  co_await serve.instance->drain(serve.timers->now() + drain_time);
  serve.instance->close();
}

// Of several hosts that one which is no standby; where there is no other, a standby is waited for.
Conninfo at_primary(Conninfo conninfo) {
  constexpr const char* wanted = "target_session_attrs";
  if (store::postgres::value_of(conninfo, wanted).empty())
    store::postgres::set_value(conninfo, wanted, "primary");
  return conninfo;
}

void warn_about(const ServeSettings& settings) {
  for (const auto& warning : settings.warnings) log::warn("{}", warning);
  for (const auto& warning : authentication_warnings(settings)) log::warn("{}", warning);
  if (settings.worker_token.empty())
    log::warn(
        "DURAGRAPH_WORKER_TOKEN is not set: no worker is taken without a key or JWT of the role worker "
        "(`duragraph key create --role worker`)");
}

InstanceOptions instance_options(const Serve& serve, const ServeSettings& settings) {
  InstanceOptions out;
  // One connection writes, one is for the runs that are about to be started, one for what may not wait.
  const auto readers = static_cast<std::size_t>(settings.db_pool_size - 3);
  out.open_store = [connect = serve.database, readers,
                    nats = serve.nats.get()](const Env& env) -> Result<std::unique_ptr<store::Store>> {
    return store::make_postgres_store(
        env, {.connect = connect, .readers = readers, .on_events = [nats] { nats->wake(); }});
  };
  out.open_bus = [nats = serve.nats.get()](Metrics& metrics) { return nats->make_bus(metrics); };
  out.host = settings.host;
  out.port = settings.port;
  out.origins = settings.cors_allowed_origins;
  out.worker_token = settings.worker_token;
  out.not_ready = "the server is starting";
  if (settings.rate_limit_enabled)
    out.rate_limit = api::RateLimits{.rps = settings.rate_limit_rps, .burst = settings.rate_limit_burst};
  out.trusted_proxies = settings.trusted_proxies;
  out.run_timeout = read_duration(settings.run_timeout).value();
  out.traces = trace_settings(settings, program_version());
  if (!settings.tls_cert.empty()) out.tls = net::TlsFiles{settings.tls_cert, settings.tls_key};
  return out;
}

}  // namespace

int run_serve(const SettingSources& sources) {
  const auto settings = load_settings(sources);
  if (!settings) return report(settings.error());
  log::set_level(settings->log_level);
  log::set_format(settings->log_format);
  warn_about(*settings);
  auto conninfo = database_conninfo(*settings);
  if (!conninfo) return report(conninfo.error());

  Serve serve;
  auto authentication = authentication_of(*settings, serve.io.get_executor());
  if (!authentication) return report(authentication.error());
  serve.database.conninfo = at_primary(std::move(*conninfo));
  serve.stop_delay = std::chrono::seconds(settings->stop_delay);
  auto nats = Nats::open(serve.env, *settings, serve.database);
  if (!nats) return report(nats.error());
  serve.nats = std::move(*nats);
  if (const auto fingerprint = fingerprint_of_secret(*settings))
    serve.agreement = std::make_unique<Agreement>(serve.env, serve.database, "JWT_SECRET", *fingerprint);
  auto options = instance_options(serve, *settings);
  options.authentication = std::move(*authentication);
  auto instance = Instance::open(serve.io, serve.env, std::move(options));
  if (!instance) return report(instance.error());
  serve.instance = std::move(*instance);
  serve.locks = std::make_unique<InstanceLocks>(
      serve.env, serve.database, serve.instance->app().context.instance,
      [&clock = serve.shared_clock](WallTime theirs, SteadyTime asked) { clock.hear(theirs, asked); });
  // What tells others to read their files again: ours are read when they change.
  std::signal(SIGHUP, SIG_IGN);
  serve.instance->serve();
  serve.instance->app().health.set_broker([nats = serve.nats.get()] { return nats->health(); });
  spawn(serve.io.get_executor(), "begin", begin(serve));
  spawn(serve.io.get_executor(), "nats", serve.nats->run(give_up));
  run_until_stopped(serve.io, [&serve] { return stop(serve); });
}

}  // namespace dg::cli
