#include "cli/access/holder.hpp"

namespace dg::cli {

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
        return read_duration(text) ? "" : "must be a time such as 90s, 15m, 36h or 7d, not \"" + text + "\"";
      });
}

}  // namespace dg::cli
