#include "cli/bench/serve_target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "cli/bench/limits.hpp"
#include "cli/bench/workloads.hpp"
#include "cli/config/setting_table.hpp"
#include "store/postgres/postgres_store.hpp"

namespace dg::cli::bench {
namespace {

// Where nobody listens.
constexpr auto no_broker = "nats://127.0.0.1:1";

// Settings of the environment are another server's.
Environment without_settings(Environment environment) {
  for (const auto& setting : setting_table()) {
    environment.erase(setting.name);
    environment.erase(setting.name + "_FILE");
  }
  environment.erase("DURAGRAPH_CONFIG");
  return environment;
}

ChildOptions own_command(const Environment& environment, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), own_program().string());
  ChildOptions options;
  options.command = ending_with_us("KILL", std::move(arguments));
  options.directory = "/";
  options.environment = environment;
  return options;
}

}  // namespace

ServeTarget::ServeTarget(Bench& bench, const Deployment& deployment)
    : Target(bench.loop, without_settings(environment_of(bench.python))), deployment_(deployment) {
  environment_["NATS_URL"] = deployment.broker ? deployment.broker->url() : no_broker;
  environment_["DURAGRAPH_WORKER_TOKEN"] = make_uuid7(bench.loop.env);
  name_ = "duragraph_bench_" + make_uuid7(bench.loop.env);
  std::ranges::replace(name_, '-', '_');
}

ServeTarget::~ServeTarget() {
  worker_.reset();
  instances_.clear();
  if (!conninfo_.empty()) deployment_.cluster->drop_database(name_);
}

Task<Result<std::unique_ptr<ServeTarget>>> ServeTarget::start(Bench& bench, const Deployment& deployment,
                                                              TargetOptions options) {
  auto target = std::unique_ptr<ServeTarget>(new ServeTarget(bench, deployment));
  if (auto made = target->make_project(); !made) co_return fail(made.error());
  if (auto made = co_await target->make_database(); !made) co_return fail(made.error());
  for (int i = 0; i < deployment.instances; ++i)
    if (auto started = co_await target->start_instance(); !started) co_return fail(started.error());
  if (auto known = co_await target->bring_graphs(options); !known) co_return fail(known.error());
  co_return target;
}

Task<Status> ServeTarget::make_database() {
  auto conninfo = deployment_.cluster->create_database(name_);
  if (!conninfo) co_return fail(conninfo.error());
  conninfo_ = std::move(*conninfo);
  environment_["DATABASE_URL"] = url_of(conninfo_);
  const auto migration = Process::start(loop_, own_command(environment_, {"db", "migrate"}));
  if (!migration) co_return fail(migration.error());
  if (auto done = co_await (*migration)->wait_for_success(); !done)
    co_return fail(Errc::unavailable, "the tables cannot be made:" + done.error().message);
  co_return Status{};
}

Task<Status> ServeTarget::start_instance() {
  auto instance = Process::start(
      loop_, own_command(environment_, {"serve", "--host=127.0.0.1", "--port=0", "--log-format=text"}),
      "serving at ");
  if (!instance) co_return fail(instance.error());
  instances_.push_back(std::move(*instance));
  const auto url = co_await instances_.back()->wait_for_mark();
  if (!url) co_return fail(url.error());
  urls_.push_back(*url);
  co_return Status{};
}

void ServeTarget::kill_instance() {
  instances_.erase(instances_.begin());
  urls_.erase(urls_.begin());
}

Task<Status> ServeTarget::bring_graphs(TargetOptions options) {
  auto worker = start_worker(options.processes, options.slots);
  if (!worker) co_return fail(worker.error());
  worker_ = std::move(*worker);
  if (auto serves = co_await wait_for_workers(options.processes); !serves) co_return fail(serves.error());
  if (!options.worker) co_await worker_->stop(SIGTERM);
  co_return Status{};
}

std::int64_t ServeTarget::ask(const std::string& sql) const {
  const auto session = store::postgres::BlockingSession::open(conninfo_);
  if (!session) return 0;
  auto answer = (*session)->run(sql);
  return answer.next() ? answer.integer() : 0;
}

std::int64_t ServeTarget::bytes_written() const {
  return ask("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint");
}

std::int64_t ServeTarget::bytes_on_disk() const {
  return ask(
      "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relkind = 'r' AND relnamespace = "
      "current_schema()::regnamespace");
}

Result<std::unique_ptr<store::Store>> ServeTarget::open_store() const {
  store::PostgresOptions options;
  options.connect.conninfo = conninfo_;
  return store::make_postgres_store(loop_.env, std::move(options));
}

Task<void> ServeTarget::stop() {
  if (worker_) co_await worker_->stop(SIGTERM);
  for (auto& instance : instances_) co_await instance->stop(SIGTERM);
}

Result<BareStore> ServeTarget::measure_bare_store(std::string_view what, Duration duration) const {
  const auto name = name_ + "_bare";
  const auto target = deployment_.cluster->create_database(name);
  if (!target) return fail(target.error());
  auto measured = measure_bare_postgres(conninfo_, *target, what, duration);
  deployment_.cluster->drop_database(name);
  return measured;
}

std::vector<std::pair<std::string, double>> ServeTarget::rows_per_run() const {
  return postgres_rows_per_run(conninfo_);
}

}  // namespace dg::cli::bench
