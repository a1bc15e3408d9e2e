#include "cli/access/holder.hpp"

#include "cli/client/value_rules.hpp"

namespace dg::cli {
namespace {

constexpr std::int64_t longest = std::int64_t{3653} * 86400;

std::int64_t seconds_in(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 86400;
    default:
      return 0;
  }
}

}  // namespace

std::optional<std::chrono::seconds> read_duration(std::string_view text) {
  std::int64_t count = 0;
  if (text.size() < 2 || !read_number(text.substr(0, text.size() - 1), count)) return std::nullopt;
  const auto unit = seconds_in(text.back());
  if (unit == 0 || count < 1 || count > longest / unit) return std::nullopt;
  return std::chrono::seconds(count * unit);
}

auth::Identity Holder::identity() const {
  return {user, auth::role_from(role).value_or(auth::Role::viewer)};
}

void add_holder(CLI::App& command, Holder& holder, const std::string& ttl_help) {
  command.add_option("--user", holder.user, "The user's id")->required()->check([](const std::string& text) {
    const auto valid = auth::check_user(text);
    return valid ? "" : valid.error().message;
  });
  command.add_option("--role", holder.role, "What the user may do: " + auth::role_names())
      ->capture_default_str()
      ->check([](const std::string& text) {
        return auth::role_from(text) ? "" : "must be one of " + auth::role_names() + ", not \"" + text + "\"";
      });
  command.add_option("--ttl", holder.ttl, ttl_help)
      ->capture_default_str()
      ->check([](const std::string& text) {
        return read_duration(text) ? "" : "must be like 90s, 30m, 12h or 7d, not \"" + text + "\"";
      });
}

}  // namespace dg::cli
