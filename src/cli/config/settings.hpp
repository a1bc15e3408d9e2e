// The settings of `duragraph serve`: what they are, and how they are loaded from everywhere they may be set.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "net/networks.hpp"

namespace dg::cli {

// Where a value came from.
struct Origin {
  enum class Kind { fallback, environment, file, flag };
  Kind kind = Kind::fallback;
  std::string path{};  // of a file
  int line = 0;        // in the file of settings; 0 for a file that is the value
  bool operator==(const Origin&) const = default;
};

// "default", "environment", "file /path" or "flag".
std::string to_string(const Origin& origin);

using Texts = std::vector<std::string>;
using net::Networks;

// Each member is the setting of that name (DURAGRAPH_ left out) in setting_table.cpp, which has the defaults
// and what values may be. A text that is empty, and a list, is not set. Made by load_settings().
struct ServeSettings {
  std::uint16_t port = 0;
  std::string host;
  std::string tls_cert;  // a file's path, as all of tls
  std::string tls_key;
  Texts cors_allowed_origins;
  Networks trusted_proxies;
  int stop_delay = 0;  // in seconds

  std::string database_url;
  std::string db_host;
  std::uint16_t db_port = 0;
  std::string db_user;
  std::string db_password;
  std::string db_name;
  std::string db_sslmode;
  std::string db_sslrootcert;
  int db_pool_size = 0;

  Texts nats_url;
  std::string nats_credentials;  // a file's path
  std::string nats_token;
  std::string nats_user;
  std::string nats_password;
  std::string nats_tls_ca;
  std::string nats_tls_cert;
  std::string nats_tls_key;
  int nats_replicas = 0;
  std::string nats_max_age;    // read_duration
  std::string nats_max_bytes;  // read_size

  bool auth_enabled = false;
  std::string jwt_secret;
  std::string jwt_public_key;  // a file's path
  std::string jwt_jwks;        // a file's path, or a URL
  std::string jwt_issuer;
  Texts jwt_audience;
  int jwt_leeway = 0;  // in seconds
  std::string jwt_default_role;
  std::string jwt_user_claim;
  std::string jwt_role_claim;
  std::string worker_token;
  std::string run_timeout;  // read_duration
  bool rate_limit_enabled = false;
  double rate_limit_rps = 0;
  int rate_limit_burst = 0;

  std::string openai_api_key;
  std::string anthropic_api_key;
  log::Level log_level = log::Level::info;
  log::Format log_format = log::Format::automatic;

  std::string otel_exporter_otlp_endpoint;
  std::string otel_exporter_otlp_traces_endpoint;
  Texts otel_exporter_otlp_headers;
  std::string otel_exporter_otlp_protocol;
  int otel_exporter_otlp_timeout = 0;  // in milliseconds
  std::string otel_service_name;
  Texts otel_resource_attributes;
  std::string otel_traces_exporter;
  std::string otel_traces_sampler;
  double otel_traces_sampler_arg = 0;
  bool otel_sdk_disabled = false;

  // By the setting's name in the environment; what is missing has its default.
  std::map<std::string, Origin, std::less<>> origins;
  // What is allowed and probably not meant, each a sentence without secrets.
  Texts warnings;

  Origin origin_of(std::string_view name) const;
  // Whether somebody set it, to its default or not.
  bool given(std::string_view name) const { return origin_of(name).kind != Origin::Kind::fallback; }
};

// The value of a variable in this process's environment.
std::optional<std::string> process_environment(const std::string& name);

struct SettingSources {
  std::function<std::optional<std::string>(const std::string&)> environment = process_environment;
  std::map<std::string, std::string, std::less<>> flags{};  // by the setting's name in the environment
  std::string config{};                                     // the file of settings that a flag names
};

// Each setting from the first that has it: flag, environment, the file that NAME_FILE names (secrets), the
// file of settings, default. An empty variable is none. invalid_argument names every setting that is wrong,
// in `fields` and, a line each, in the message; a secret is never in it.
Result<ServeSettings> load_settings(const SettingSources& sources);
// Only those that say where the database is: what a command does not need may be wrong or missing.
Result<ServeSettings> load_database_settings(const SettingSources& sources);
// Only those that say what JWTs are like.
Result<ServeSettings> load_token_settings(const SettingSources& sources);

}  // namespace dg::cli
