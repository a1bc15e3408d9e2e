#include "cli/config/setting_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/json.hpp"
#include "cli/config/database_url.hpp"
#include "cli/config/masking.hpp"

namespace dg::cli {
namespace {

constexpr std::string_view own_prefix = "DURAGRAPH_";

// One for each purpose: reads, commits, the runs that are about to be started, and what may not wait.
constexpr int least_pool_size = 4;

constexpr std::array<std::string_view, 5> level_words{"debug", "info", "warn", "error",
                                                      "off"};  // in log's order

// none: a JWT must have a role.
constexpr std::array<std::string_view, 5> default_roles{"admin", "editor", "viewer", "worker", "none"};
constexpr std::array<std::string_view, 3> format_words{"auto", "text", "json"};  // in log's order

constexpr std::array<std::string_view, 2> otlp_protocols{"http/protobuf", "http/json"};
constexpr std::array<std::string_view, 2> span_exporters{"otlp", "none"};
constexpr std::array<std::string_view, 6> samplers{"always_on",
                                                   "always_off",
                                                   "traceidratio",
                                                   "parentbased_always_on",
                                                   "parentbased_always_off",
                                                   "parentbased_traceidratio"};

SettingRule database_uri() {
  return {"a URI such as postgresql://user:password@host:5432/name",
          [](const std::string& text) -> std::optional<std::string> {
            const auto read = read_database_url(text);
            return read ? std::nullopt : std::optional(read.error().message);
          }};
}

std::vector<Setting> make_setting_table() {
  using S = ServeSettings;
  using enum Secrecy;
  return {
      {"PORT", "8080", &S::port, rule_of(listening_port()),
       "The port to listen on; 0 lets the system choose"},
      {"HOST", "0.0.0.0", &S::host, rule_of(listening_host()), "The address to listen on"},
      {"DURAGRAPH_TLS_CERT", "", &S::tls_cert, readable_file(),
       "The certificates, in PEM, to serve HTTPS with"},
      {"DURAGRAPH_TLS_KEY", "", &S::tls_key, readable_file(), "The key, in PEM, of the first of them"},
      {"CORS_ALLOWED_ORIGINS", "", &S::cors_allowed_origins, origin_text(),
       "Web origins that may use the server"},
      {"DURAGRAPH_TRUSTED_PROXIES", "", &S::trusted_proxies, network_text(),
       "Whose forwarded headers say who the client is"},
      {"DURAGRAPH_STOP_DELAY", "2", &S::stop_delay, rule_of(whole_number_in(0, 300)),
       "Seconds for which a server that was told to stop answers while balancers learn of it"},
      {"DATABASE_URL", "", &S::database_url, database_uri(), "The database; what it names beats DB_*", url},
      {"DB_HOST", "localhost", &S::db_host, some_text(), "PostgreSQL's host, or the folder of its socket"},
      {"DB_PORT", "5432", &S::db_port, fixed_port(), "PostgreSQL's port"},
      {"DB_USER", "appuser", &S::db_user, some_text(), "PostgreSQL's user"},
      {"DB_PASSWORD", "apppass", &S::db_password, any_text(), "The user's password", secret},
      {"DB_NAME", "appdb", &S::db_name, some_text(), "The database's name"},
      {"DB_SSLMODE", "prefer", &S::db_sslmode, one_of(database_ssl_modes),
       "Whether connections to PostgreSQL use TLS, as libpq has it"},
      {"DB_SSLROOTCERT", "", &S::db_sslrootcert, readable_file(),
       "The authorities, in PEM, that PostgreSQL's certificate is checked against"},
      {"DB_POOL_SIZE", "8", &S::db_pool_size, rule_of(whole_number_in(least_pool_size, 256)),
       "Connections to PostgreSQL that one instance serves with, three of them not for reads; locks, events "
       "and partitions take up to five more"},
      {"NATS_URL", "nats://localhost:4222", &S::nats_url, nats_server(), "The servers of one NATS cluster",
       url},
      {"DURAGRAPH_NATS_CREDENTIALS", "", &S::nats_credentials, readable_file(),
       "A file of credentials (.creds) for NATS"},
      {"DURAGRAPH_NATS_TOKEN", "", &S::nats_token, any_text(), "A token for NATS", secret},
      {"DURAGRAPH_NATS_USER", "", &S::nats_user, any_text(), "A user of NATS"},
      {"DURAGRAPH_NATS_PASSWORD", "", &S::nats_password, any_text(), "The password of NATS's user", secret},
      {"DURAGRAPH_NATS_TLS_CA", "", &S::nats_tls_ca, readable_file(),
       "The authorities, in PEM, that NATS's certificate is checked against"},
      {"DURAGRAPH_NATS_TLS_CERT", "", &S::nats_tls_cert, readable_file(),
       "The certificate, in PEM, to show to NATS"},
      {"DURAGRAPH_NATS_TLS_KEY", "", &S::nats_tls_key, readable_file(),
       "The key, in PEM, of that certificate"},
      {"DURAGRAPH_NATS_REPLICAS", "1", &S::nats_replicas, rule_of(whole_number_in(1, 5)),
       "How many servers of NATS keep the stream of events"},
      {"DURAGRAPH_NATS_MAX_AGE", "7d", &S::nats_max_age, duration_text(),
       "How long the stream keeps an event"},
      {"DURAGRAPH_NATS_MAX_BYTES", "1G", &S::nats_max_bytes, size_text(),
       "How large the stream may be; then its oldest events go"},
      {"AUTH_ENABLED", "false", &S::auth_enabled, switch_word(), "Ask clients for a JWT or an API key"},
      {"JWT_SECRET", "", &S::jwt_secret, any_text(), "The secret that JWTs are signed with (HS256)", secret},
      {"DURAGRAPH_JWT_PUBLIC_KEY", "", &S::jwt_public_key, readable_file(),
       "The public key, in PEM, that JWTs are checked with (RS256, ES256, EdDSA)"},
      {"DURAGRAPH_JWT_JWKS", "", &S::jwt_jwks, file_or_url(), "A file or a URL with such keys, as a JWKS"},
      {"DURAGRAPH_JWT_ISSUER", "", &S::jwt_issuer, any_text(), "What JWTs must have as iss"},
      {"DURAGRAPH_JWT_AUDIENCE", "", &S::jwt_audience, any_text(), "What JWTs may have as aud"},
      {"DURAGRAPH_JWT_LEEWAY", "30", &S::jwt_leeway, rule_of(whole_number_in(0, 600)),
       "Seconds by which the clocks of those who make JWTs may differ"},
      {"DURAGRAPH_JWT_DEFAULT_ROLE", "editor", &S::jwt_default_role, one_of(default_roles),
       "The role of JWTs that have none"},
      {"DURAGRAPH_JWT_USER_CLAIM", "", &S::jwt_user_claim, any_text(),
       "The claim that is the user, in place of user_id and sub"},
      {"DURAGRAPH_JWT_ROLE_CLAIM", "", &S::jwt_role_claim, any_text(),
       "The claim that is the role, in place of role and roles"},
      {"DURAGRAPH_WORKER_TOKEN", "", &S::worker_token, token_text(), "The token that workers show", secret},
      {"DURAGRAPH_RUN_TIMEOUT", "1h", &S::run_timeout, duration_text(),
       "How long one attempt at a run may take; then it ends with the status timeout"},
      {"RATE_LIMIT_ENABLED", "false", &S::rate_limit_enabled, switch_word(),
       "Limit the rate of each client's requests"},
      {"RATE_LIMIT_RPS", "10", &S::rate_limit_rps, number_above(0), "Requests per second of one client"},
      {"RATE_LIMIT_BURST", "20", &S::rate_limit_burst, rule_of(whole_number_in(1)),
       "Requests that one client may make at once"},
      {"OPENAI_API_KEY", "", &S::openai_api_key, any_text(), "The key for OpenAI", secret},
      {"ANTHROPIC_API_KEY", "", &S::anthropic_api_key, any_text(), "The key for Anthropic", secret},
      {"DURAGRAPH_LOG_LEVEL", "info", &S::log_level, one_of(level_words), "The least that is logged"},
      {"DURAGRAPH_LOG_FORMAT", "auto", &S::log_format, one_of(format_words),
       "Lines of text, or of JSON; auto is text on a terminal, else JSON"},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "", &S::otel_exporter_otlp_endpoint, http_url(),
       "The collector that takes spans, at /v1/traces below it", url},
      {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "", &S::otel_exporter_otlp_traces_endpoint, http_url(),
       "The same with the whole path; beats the former", url},
      {"OTEL_EXPORTER_OTLP_HEADERS", "", &S::otel_exporter_otlp_headers, named_value(),
       "Headers of each request to it, percent-encoded", secret},
      {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", &S::otel_exporter_otlp_protocol,
       one_of(otlp_protocols), "What it is sent; gRPC is not spoken"},
      {"OTEL_EXPORTER_OTLP_TIMEOUT", "10000", &S::otel_exporter_otlp_timeout,
       rule_of(whole_number_in(1, 600'000)), "Milliseconds that it has for an answer"},
      {"OTEL_SERVICE_NAME", "duragraph", &S::otel_service_name, some_text(), "What spans say they come from"},
      {"OTEL_RESOURCE_ATTRIBUTES", "", &S::otel_resource_attributes, named_value(),
       "More that they say of it, percent-encoded"},
      {"OTEL_TRACES_EXPORTER", "otlp", &S::otel_traces_exporter, one_of(span_exporters),
       "Where spans go; none: nowhere"},
      {"OTEL_TRACES_SAMPLER", "parentbased_always_on", &S::otel_traces_sampler, one_of(samplers),
       "Which traces are recorded"},
      {"OTEL_TRACES_SAMPLER_ARG", "1", &S::otel_traces_sampler_arg, number_between(0, 1),
       "The part of traces that a traceidratio records"},
      {"OTEL_SDK_DISABLED", "false", &S::otel_sdk_disabled, switch_word(),
       "Record no spans, whatever else is set"},
  };
}

// How a text that a rule has let through becomes the value of a field.
struct Reading {
  const std::string& text;
  ServeSettings& into;

  void operator()(std::string ServeSettings::* field) const { into.*field = text; }
  void operator()(bool ServeSettings::* field) const { into.*field = read_switch(text).value_or(false); }
  void operator()(double ServeSettings::* field) const { read_number(text, into.*field); }
  void operator()(Texts ServeSettings::* field) const { into.*field = split_list(text); }
  void operator()(log::Level ServeSettings::* field) const {
    into.*field = static_cast<log::Level>(std::ranges::find(level_words, text) - level_words.begin());
  }
  void operator()(log::Format ServeSettings::* field) const {
    into.*field = static_cast<log::Format>(std::ranges::find(format_words, text) - format_words.begin());
  }
  void operator()(Networks ServeSettings::* field) const {
    (into.*field).clear();
    for (const auto& one : split_list(text))
      if (const auto network = net::parse_network(one)) (into.*field).push_back(*network);
  }
  template <typename Whole>
  void operator()(Whole ServeSettings::* field) const {
    std::int64_t value = 0;
    if (read_number(text, value)) into.*field = static_cast<Whole>(value);
  }
};

// The value as texts: one, or a list's elements.
struct Showing {
  const ServeSettings& from;

  Texts operator()(std::string ServeSettings::* field) const {
    return (from.*field).empty() ? Texts{} : Texts{from.*field};
  }
  Texts operator()(bool ServeSettings::* field) const { return {from.*field ? "true" : "false"}; }
  Texts operator()(Texts ServeSettings::* field) const { return from.*field; }
  Texts operator()(log::Level ServeSettings::* field) const {
    return {std::string(level_words.at(static_cast<std::size_t>(from.*field)))};
  }
  Texts operator()(log::Format ServeSettings::* field) const {
    return {std::string(format_words.at(static_cast<std::size_t>(from.*field)))};
  }
  Texts operator()(Networks ServeSettings::* field) const {
    Texts out;
    for (const auto& network : from.*field) out.push_back(to_string(network));
    return out;
  }
  template <typename Number>
  Texts operator()(Number ServeSettings::* field) const {
    return {fmt::format("{}", from.*field)};
  }
};

Texts shown_texts(const Setting& setting, const ServeSettings& settings) {
  auto texts = std::visit(Showing{settings}, setting.field);
  for (auto& text : texts) {
    if (setting.secrecy == Secrecy::secret) text = masked;
    if (setting.secrecy == Secrecy::url)
      text = setting.is_list() ? mask_nats_url(text) : mask_database_url(text);
  }
  return texts;
}

// A wrong value, for a message.
std::string shown_wrong(const Setting& setting, std::string_view whole, std::string_view part) {
  if (setting.secrecy == Secrecy::secret) return std::string(masked);
  // What is no URL at all may be the password of one.
  if (setting.secrecy == Secrecy::url && !setting.is_list() && !whole.contains("://"))
    return std::string(masked);
  // A comma in a password takes its URL apart.
  if (setting.secrecy == Secrecy::url && mask_unreadable_url(whole) != whole)
    return mask_unreadable_url(whole);
  constexpr std::size_t most = 200;
  return part.size() <= most ? std::string(part) : fmt::format("{}…", part.substr(0, most));
}

std::unexpected<Error> refused(const Setting& setting, const std::string& shown, const std::string& why) {
  return fail(Errc::invalid_argument, fmt::format("must be {}, not \"{}\"{}", setting.rule.must, shown,
                                                  why.empty() ? "" : ": " + why));
}

}  // namespace

bool Setting::is_list() const {
  return std::holds_alternative<Texts ServeSettings::*>(field) ||
         std::holds_alternative<Networks ServeSettings::*>(field);
}

bool Setting::is_switch() const {
  return std::holds_alternative<bool ServeSettings::*>(field);
}

const std::vector<Setting>& setting_table() {
  static const auto table = make_setting_table();
  return table;
}

bool says_where_database_is(const Setting& setting) {
  return setting.name == "DATABASE_URL" ||
         (setting.name.starts_with("DB_") && setting.name != "DB_POOL_SIZE");
}

bool says_what_tokens_are(const Setting& setting) {
  return setting.name == "JWT_SECRET" || setting.name.starts_with("DURAGRAPH_JWT_");
}

std::string key_of(const Setting& setting) {
  std::string_view name = setting.name;
  if (name.starts_with(own_prefix)) name.remove_prefix(own_prefix.size());
  std::string out(name);
  std::ranges::transform(
      out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return out;
}

std::string flag_of(const Setting& setting) {
  auto out = "--" + key_of(setting);
  std::ranges::replace(out, '_', '-');
  return out;
}

Status assign(const Setting& setting, const std::string& text, ServeSettings& into) {
  if (text.contains('\0')) return refused(setting, std::string(masked), "it holds a NUL");
  const auto parts = setting.is_list() ? split_list(text) : Texts{text};
  const bool unset = text.empty() && setting.fallback.empty();
  if (parts.empty() && !setting.fallback.empty()) return refused(setting, text, "");
  for (const auto& part : parts) {
    if (unset) break;
    if (const auto why = setting.rule.refuse(part))
      return refused(setting, shown_wrong(setting, text, part), *why);
  }
  std::visit(Reading{text, into}, setting.field);
  return {};
}

std::string shown_value(const Setting& setting, const ServeSettings& settings) {
  return fmt::format("{}", fmt::join(shown_texts(setting, settings), ", "));
}

std::string shown_json(const Setting& setting, const ServeSettings& settings) {
  const auto texts = shown_texts(setting, settings);
  json::Writer out;
  if (setting.is_list()) {
    out.begin_array();
    for (const auto& text : texts) out.string(text);
    out.end_array();
    return out.take();
  }
  if (texts.empty()) return "null";
  const bool quoted = std::holds_alternative<std::string ServeSettings::*>(setting.field) ||
                      std::holds_alternative<log::Level ServeSettings::*>(setting.field) ||
                      std::holds_alternative<log::Format ServeSettings::*>(setting.field);
  return quoted ? json::quote(texts.front()) : texts.front();
}

}  // namespace dg::cli
