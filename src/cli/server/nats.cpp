#include "cli/server/nats.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/log.hpp"
#include "cli/config/setting_rules.hpp"

namespace dg::cli {
namespace {

constexpr Duration next_look = std::chrono::milliseconds(250);

bus::nats::Options nats_options(const ServeSettings& settings) {
  return {.urls = settings.nats_url,
          .credentials = settings.nats_credentials,
          .token = settings.nats_token,
          .user = settings.nats_user,
          .password = settings.nats_password,
          .tls_ca = settings.nats_tls_ca,
          .tls_cert = settings.nats_tls_cert,
          .tls_key = settings.nats_tls_key};
}

}  // namespace

Result<std::unique_ptr<Nats>> Nats::open(const Env& env, const ServeSettings& settings,
                                         store::postgres::ConnectOptions database) {
  auto connection = bus::nats::Connection::open(env, nats_options(settings));
  if (!connection) return fail(std::move(connection.error()));
  const bus::nats::StreamSettings stream{
      .max_age = read_duration(settings.nats_max_age).value_or(std::chrono::hours(24)),
      .max_bytes = read_size(settings.nats_max_bytes).value_or(-1),
      .replicas = settings.nats_replicas};
  return std::unique_ptr<Nats>(new Nats(env, std::move(*connection), stream, std::move(database)));
}

Nats::Nats(const Env& env, std::unique_ptr<bus::nats::Connection> connection,
           bus::nats::StreamSettings stream, store::postgres::ConnectOptions database)
    : env_(env),
      connection_(std::move(connection)),
      stream_(bus::nats::make_jetstream(env, *connection_, stream)),
      outbox_(store::make_postgres_outbox(env, std::move(database))),
      retention_(stream.max_age) {}

std::unique_ptr<bus::Bus> Nats::make_bus(Metrics& metrics) {
  auto made = std::make_unique<bus::nats::NatsBus>(env_, *connection_);
  bus_ = made.get();
  show_load(metrics, *connection_);
  show_load(metrics, *bus_);
  relay_ = std::make_unique<app::Relay>(env_, *outbox_, *stream_, metrics,
                                        app::RelaySettings{.retention = retention_});
  return made;
}

void Nats::wake() {
  if (relay_) relay_->wake();
}

Task<void> Nats::run(std::function<void(const std::string&)> give_up) {
  std::string scope;
  bool streams = false;
  while (true) {
    if (!streams) streams = co_await can_keep_streams(give_up);
    if (const auto state = co_await outbox_->state(); state && scope.empty()) {
      scope = state->scope;
      bus_->begin(scope);
    }
    if (streams && !scope.empty()) break;
    co_await sleep_for(env_.timers, next_look);
  }
  stream_->begin(scope);
  co_await relay_->run(scope);
}

// This is looked at once: while serving, a NATS that cannot, or lets nobody in, is one that is away.
Task<bool> Nats::can_keep_streams(const std::function<void(const std::string&)>& give_up) {
  if (connection_->is_refused())
    give_up(
        fmt::format("NATS lets nobody in with these credentials ({}): set DURAGRAPH_NATS_CREDENTIALS, "
                    "DURAGRAPH_NATS_TOKEN, or DURAGRAPH_NATS_USER and DURAGRAPH_NATS_PASSWORD",
                    connection_->why_not_connected()));
  if (!stream_->is_reachable()) co_return false;
  const auto can = co_await stream_->can_keep_streams();
  if (can) co_return true;
  if (can.error().code == Errc::forbidden) give_up(can.error().message);
  log::warn("NATS does not say whether it keeps streams, and is asked again: {}", can.error().message);
  co_return false;
}

app::BrokerHealth Nats::health() const {
  if (!connection_->is_connected()) return {connection_->why_not_connected(), {}};
  return {relay_ ? relay_->trouble() : "", connection_->round_trip()};
}

}  // namespace dg::cli
