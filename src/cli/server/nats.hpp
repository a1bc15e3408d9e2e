// The part of `serve` that speaks with NATS: wake-ups between instances, and the stream of events.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/health.hpp"
#include "app/relay.hpp"
#include "base/env.hpp"
#include "bus/nats/jetstream.hpp"
#include "bus/nats/nats_bus.hpp"
#include "cli/config/settings.hpp"
#include "store/postgres/outbox.hpp"

namespace dg::cli {

class Nats {
 public:
  // invalid_argument: the settings cannot be used. It connects by itself, whenever that is possible.
  static Result<std::unique_ptr<Nats>> open(const Env& env, const ServeSettings& settings,
                                            store::postgres::ConnectOptions database);

  // The bus of an instance, which it outlives together with the metrics. Once.
  std::unique_ptr<bus::Bus> make_bus(Metrics& metrics);
  // Events were committed.
  void wake();
  // Begins as soon as there is a database, and relays events for ever. `give_up` ends the process: a NATS
  // that keeps no streams is not mended by waiting.
  Task<void> run(std::function<void(const std::string&)> give_up);
  app::BrokerHealth health() const;

 private:
  Nats(const Env& env, std::unique_ptr<bus::nats::Connection> connection, bus::nats::StreamSettings stream,
       store::postgres::ConnectOptions database);
  Task<bool> can_keep_streams(const std::function<void(const std::string&)>& give_up);

  Env env_;
  std::unique_ptr<bus::nats::Connection> connection_;
  std::unique_ptr<bus::EventStream> stream_;
  std::unique_ptr<store::Outbox> outbox_;
  Duration retention_;
  std::unique_ptr<app::Relay> relay_;  // from the making of the bus on
  bus::nats::NatsBus* bus_ = nullptr;
};

}  // namespace dg::cli
